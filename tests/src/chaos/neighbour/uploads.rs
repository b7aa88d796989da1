//! A tenant that uploads plugins which take minutes to compile.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;

use super::caller::Caller;
use super::mischief::Counts;
use crate::chaos::now_ms;
use crate::heavy::heavy;

/// Uploads at once: one is compiled, two wait, the others find the queue full.
const AT_ONCE: u64 = 4;
/// From an answer to the next upload: an administrator may ask twenty times a second.
const PAUSE: Duration = Duration::from_millis(250);
/// Nearly as much code as the service tries at all.
const FUNCTIONS: u32 = 8;
const STEPS: u32 = 30_000;

/// Uploads for ever, another plugin each time.
pub async fn upload(admin: &Caller, counts: &Counts) {
    let code = heavy(1, FUNCTIONS, STEPS);
    join_all((0..AT_ONCE).map(|uploader| uploads(admin, &code, uploader, counts))).await;
}

async fn uploads(admin: &Caller, code: &[u8], uploader: u64, counts: &Counts) {
    loop {
        let salt = format!("{uploader}-{}", now_ms());
        counts.made();
        let answer = admin.upload("/v1/tenants/mallory/plugins", &salt, salted(code, &salt)).await;
        if answer.is_ok_and(|answer| matches!(answer.text("code"), "plugin-too-costly" | "busy")) {
            counts.refused();
        }
        sleep(PAUSE).await;
    }
}

/// The same code in other bytes: with a custom section that has nothing but a name.
fn salted(code: &[u8], salt: &str) -> Vec<u8> {
    let length = u8::try_from(salt.len()).expect("a short salt");
    [code, &[0, length + 1, length], salt.as_bytes()].concat()
}
