//! Components that take long to compile. They are no plugins: whoever compiles them finds out afterwards.

/// Locals of each function, all alive from its beginning to its end.
const LOCALS: u8 = 64;
/// Steps between two branches, after which each local may have one of two values.
const STEPS: u32 = 12;

/// A component with so many functions of so many steps, some twelve bytes each. Another seed makes other
/// bytes.
#[must_use]
pub fn heavy(seed: u32, functions: u32, steps: u32) -> Vec<u8> {
    let mut dice = u64::from(seed) | 1 << 32;
    let mut bodies = number(u64::from(functions));
    for _ in 0..functions {
        let body = body(&mut dice, steps);
        bodies.extend(number(body.len() as u64));
        bodies.extend(body);
    }
    // One type: from nothing to an i64. All functions are of it.
    let types = [1, 0x60, 0, 1, 0x7e];
    let mut kinds = number(u64::from(functions));
    kinds.extend(std::iter::repeat_n(0, functions as usize));
    let module =
        [b"\0asm\x01\0\0\0".to_vec(), section(1, &types), section(3, &kinds), section(10, &bodies)].concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module)].concat()
}

/// A function that mixes its locals, whose values depend on branches, and gives the sum of all.
fn body(dice: &mut u64, steps: u32) -> Vec<u8> {
    let mut next = move || {
        // Knuth's MMIX: anything that looks random will do.
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*dice >> 56) as u8 % LOCALS
    };
    let mut code = vec![1, LOCALS, 0x7e];
    for step in 0..steps {
        if step % STEPS == 0 {
            // block; local.get; i64.eqz; br_if 0
            code.extend([0x02, 0x40, 0x20, next(), 0x50, 0x0d, 0]);
        }
        // local.get; local.get; i64.mul; local.get; i64.xor; i64.const; i64.add; local.set
        code.extend([0x20, next(), 0x20, next(), 0x7e, 0x20, next(), 0x85, 0x42, next(), 0x7c, 0x21, next()]);
        if step % STEPS == STEPS - 1 || step + 1 == steps {
            code.push(0x0b);
        }
    }
    code.extend([0x20, 0]);
    (1..LOCALS).for_each(|local| code.extend([0x20, local, 0x7c]));
    code.push(0x0b);
    code
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], number(content.len() as u64), content.to_vec()].concat()
}

/// As LEB128.
fn number(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let digit = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(digit);
            return bytes;
        }
        bytes.push(digit | 0x80);
    }
}
