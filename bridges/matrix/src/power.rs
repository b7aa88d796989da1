//! Who may write in a room, by its power levels.

use serde_json::Value;

use crate::bridge::Bridge;
use crate::fault::Fault;
use crate::json::at;

/// Whether each of these users may send messages there.
pub(crate) async fn may_write(bridge: &Bridge, room: &str, users: &[&str]) -> Result<bool, Fault> {
    let levels = bridge.matrix.state(room, "m.room.power_levels", "").await?.unwrap_or_default();
    if users.iter().all(|user| is_enough(&levels, user)) {
        return Ok(true);
    }
    // Since room version 12 those who made the room stand above all levels, and are not listed.
    let create = bridge.matrix.event_of_state(room, "m.room.create").await?.unwrap_or_default();
    Ok(users.iter().all(|user| is_enough(&levels, user) || is_creator(&create, user)))
}

/// The defaults are those of Matrix' specification.
fn is_enough(levels: &Value, user: &str) -> bool {
    let level = |value: &Value| value.as_i64();
    let default = level(at(levels, &["events_default"])).unwrap_or(0);
    let needed = level(at(levels, &["events", "m.room.message"])).unwrap_or(default);
    let own =
        level(at(levels, &["users", user])).or_else(|| level(at(levels, &["users_default"]))).unwrap_or(0);
    own >= needed
}

fn is_creator(create: &Value, user: &str) -> bool {
    let version =
        at(create, &["content", "room_version"]).as_str().and_then(|version| version.parse::<u32>().ok());
    let more = at(create, &["content", "additional_creators"]).as_array();
    let is_listed = more.is_some_and(|more| more.iter().any(|one| one == user));
    version.is_some_and(|version| version >= 12) && (at(create, &["sender"]) == user || is_listed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_level_is_that_of_the_user_or_the_default() {
        let levels = json!({"events_default": 50, "users": {"@a:x": 50, "@m:x": -1}, "users_default": 0});
        assert!(is_enough(&levels, "@a:x") && !is_enough(&levels, "@b:x") && !is_enough(&levels, "@m:x"));
        let own = json!({"events_default": 50, "events": {"m.room.message": 0}});
        assert!(is_enough(&own, "@b:x"));
        assert!(is_enough(&Value::Null, "@b:x"));
        assert!(!is_enough(&json!({"users": {"@m:x": -1}}), "@m:x"));
    }

    #[test]
    fn who_made_a_room_may_write_since_version_12() {
        let create = |version: &str| json!({"sender": "@a:x", "content": {"room_version": version, "additional_creators": ["@b:x"]}});
        assert!(is_creator(&create("12"), "@a:x") && is_creator(&create("12"), "@b:x"));
        assert!(!is_creator(&create("12"), "@c:x") && !is_creator(&create("11"), "@a:x"));
        assert!(!is_creator(&create("org.example"), "@a:x"));
    }
}
