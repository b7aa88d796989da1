//! Counters that somebody has changed by hand.

use redis::{Commands as _, Connection};

use super::dice::Dice;
use crate::servers::Redis;

/// In which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// More slots than there are shares left.
    Inflate,
    /// Fewer.
    Deflate,
}

/// The field of a counter with its numbers, as `host/store-redis/src/codec.rs` writes it down: little
/// endian doubles, of which these are the places of two.
const NUMBERS: &str = "m";
const SHARES: usize = 3;
const OPENED: usize = 4;

/// Changes every counter that is there. Between our reading and writing a host may write as well;
/// then its change is lost, which is one more thing that must do no harm.
pub fn with_counters(redis: &Redis, direction: Direction, dice: &mut Dice) {
    let client = redis::Client::open(redis.url()).expect("a URL of ours");
    let mut connection = client.get_connection().expect("a server that is up");
    let keys: Vec<String> = connection.keys("hongbao:*}").expect("its keys");
    for key in keys {
        change(&mut connection, &key, direction, dice);
    }
}

fn change(connection: &mut Connection, key: &str, direction: Direction, dice: &mut Dice) {
    let numbers: Option<Vec<u8>> = connection.hget(key, NUMBERS).expect("a counter");
    // It may have been forgotten a moment ago.
    let Some(mut numbers) = numbers else { return };
    let by = 1.0 + dice.below(20) as f64;
    // Whether shares are added or opened ones taken away, or the other way round.
    let (place, by) = match (direction, dice.below(2)) {
        (Direction::Inflate, 0) => (SHARES, by),
        (Direction::Inflate, _) => (OPENED, -by),
        (Direction::Deflate, 0) => (SHARES, -by),
        (Direction::Deflate, _) => (OPENED, by),
    };
    let (doubles, _) = numbers.as_chunks_mut::<8>();
    let double = doubles.get_mut(place).expect("eight numbers");
    *double = (f64::from_le_bytes(*double) + by).to_le_bytes();
    let _: () = connection.hset(key, NUMBERS, numbers).expect("a counter that can be written");
}
