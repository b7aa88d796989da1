//! Fractions of integers, reduced, that stop the test rather than overflow.

use std::ops::{Add, Mul};

/// A probability or a mean, without rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    above: u128,
    below: u128,
}

impl Fraction {
    pub const ZERO: Self = Self { above: 0, below: 1 };
    pub const ONE: Self = Self { above: 1, below: 1 };

    pub fn new(above: u128, below: u128) -> Self {
        assert_ne!(below, 0, "a fraction of nothing");
        let common = common_divisor(above, below);
        Self { above: above / common, below: below / common }
    }

    pub fn whole(number: u64) -> Self {
        Self::new(u128::from(number), 1)
    }

    /// Rounded, for statistics alone.
    pub fn to_f64(self) -> f64 {
        self.above as f64 / self.below as f64
    }
}

impl Add for Fraction {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let common = common_divisor(self.below, other.below);
        let (left, right) = (other.below / common, self.below / common);
        let above = product(self.above, left).checked_add(product(other.above, right));
        Self::new(above.expect("a sum of fractions too fine for 128 bits"), product(self.below, left))
    }
}

impl Mul for Fraction {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        // Reduced across first: the products are then as small as they can be.
        let (left, right) = (Self::new(self.above, other.below), Self::new(other.above, self.below));
        Self::new(product(left.above, right.above), product(left.below, right.below))
    }
}

impl std::iter::Sum for Fraction {
    fn sum<I: Iterator<Item = Self>>(fractions: I) -> Self {
        fractions.fold(Self::ZERO, Add::add)
    }
}

fn product(left: u128, right: u128) -> u128 {
    left.checked_mul(right).expect("a product of fractions too fine for 128 bits")
}

fn common_divisor(mut left: u128, mut right: u128) -> u128 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[test]
fn fractions_add_and_multiply_as_at_school() {
    let (half, third) = (Fraction::new(2, 4), Fraction::new(1, 3));
    assert_eq!(half + third, Fraction::new(5, 6));
    assert_eq!(half * third, Fraction::new(1, 6));
    assert_eq!([half, third, Fraction::new(1, 6)].into_iter().sum::<Fraction>(), Fraction::ONE);
}
