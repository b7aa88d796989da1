//! Hands huge things to the host: a string, a list of names, and a list of a million references to one
//! string of 1 MiB, which is small for the guest and would be a tebibyte for the host.

#![allow(unsafe_code, reason = "no safe list has a million elements that are the same")]

use hongbao_hostile_guests::{Grabbed, Guest, PacketId, UserId, component, counter, first, log};

struct HugeArguments;

impl Guest for HugeArguments {
    fn grab(packet: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        match first(&users) {
            "string" => log::write(log::Level::Info, &"x".repeat(5 << 20)),
            "list" => drop(counter::load(packet, &vec![String::from("list"); 400_000])),
            _ => million_times(packet, &"x".repeat(1 << 20)),
        }
        vec![Grabbed::Contended; users.len()]
    }
}

component!(HugeArguments);

#[cfg(target_arch = "wasm32")]
fn million_times(packet: PacketId, text: &str) {
    #[link(wasm_import_module = "hongbao:plugin/counter@0.1.0")]
    unsafe extern "C" {
        fn admit(high: u64, low: u64, users: *const [usize; 2], count: usize, answer: *mut u8);
    }
    let users = vec![[text.as_ptr() as usize, text.len()]; 1_000_000];
    let mut answer = [0_u32; 4];
    // SAFETY: the list and the text in it outlive the call; what is wrong with them is their size.
    unsafe { admit(packet.high, packet.low, users.as_ptr(), users.len(), answer.as_mut_ptr().cast()) }
}

#[cfg(not(target_arch = "wasm32"))]
fn million_times(_: PacketId, _: &str) {}
