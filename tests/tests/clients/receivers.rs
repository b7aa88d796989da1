//! What docs/webhooks.md tells receivers to do, done by the programs that it is written for.

use std::process::{Command, Stdio};

use crate::tools::{python, succeeds};

/// A message by the standard's own example, signed at any time.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The first block in this language of docs/webhooks.md.
fn documented(language: &str) -> &'static str {
    const TEXT: &str = include_str!("../../../docs/webhooks.md");
    let (_, rest) = TEXT.split_once(&format!("```{language}\n")).unwrap();
    rest.split("```").next().unwrap()
}

/// Verifies a message that was signed now, and refuses three that are not right.
const PYTHON: &str = r#"
secret, body, stamp = SECRET, '{"test": "红包"}'.encode(), str(int(time.time()))
def signed(stamp):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, b"msg_1." + stamp.encode() + b"." + body, hashlib.sha256)
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp,
            "webhook-signature": "v1,AAAA v1," + base64.b64encode(mac.digest()).decode()}
verify(secret, signed(stamp), body)
refused = 0
old = str(int(time.time()) - 301)
for headers, other in [(signed(stamp), b"{}"), (signed(old), body), ({**signed(stamp), "webhook-id": "msg_2"}, body)]:
    try:
        verify(secret, headers, other)
    except ValueError:
        refused += 1
print("verified, and refused", refused)
"#;

const NODE: &str = r#"
const [secret, body, stamp] = [SECRET, Buffer.from('{"test": "红包"}'), String(Math.floor(Date.now() / 1000))];
const signed = (stamp) => {
  const hmac = createHmac("sha256", Buffer.from(secret.slice(6), "base64")).update(`msg_1.${stamp}.`).update(body);
  return { "webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": "v1,AAAA v1," + hmac.digest("base64") };
};
verify(secret, signed(stamp), body);
let refused = 0;
const old = String(Number(stamp) - 302);
for (const [headers, other] of [[signed(stamp), Buffer.from("{}")], [signed(old), body],
                                [{ ...signed(stamp), "webhook-id": "msg_2" }, body], [signed("soon"), body]]) {
  try { verify(secret, headers, other); } catch { refused += 1; }
}
console.log("verified, and refused", refused);
"#;

#[test]
fn the_receiver_in_python_verifies() {
    let program = format!("{}\nSECRET = '{SECRET}'\n{PYTHON}", documented("python"));
    let told = succeeds(python("python").args(["-c", &program]));
    assert_eq!(told.trim(), "verified, and refused 3");
}

#[test]
fn the_receiver_in_node_verifies() {
    let program = format!("{}\nconst SECRET = '{SECRET}';\n{NODE}", documented("js"));
    let told = succeeds(Command::new("node").args(["-e", &program]).stdin(Stdio::null()));
    assert_eq!(told.trim(), "verified, and refused 4");
}
