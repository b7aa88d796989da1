//! The output of a script line, as text or JSON.

use serde::Serialize;

use super::draw;
use super::room::Outcome;
use crate::table::Table;
use crate::terminal;
use crate::view::{AuditView, RefundView};
use hongbao_domain::{Amount, Card, Currency, Manifest, UserId};
use hongbao_store::Audit;

/// One thing that came of a line, as JSON.
#[derive(Serialize)]
pub(super) struct OutcomeView {
    line: u64,
    #[serde(flatten)]
    what: What,
}

/// `for` is null where everybody sees it.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum What {
    Card {
        number: usize,
        r#for: Option<String>,
        #[serde(flatten)]
        card: CardView,
    },
    Notice {
        r#for: String,
        text: String,
    },
    Problem {
        r#for: String,
        code: String,
        message: String,
    },
    Silence,
    Unknown {
        did_you_mean: Option<String>,
    },
    Advanced {
        now_ms: u64,
        refunded: Vec<RefundView>,
    },
    CacheLost,
    Failed {
        code: &'static str,
        message: String,
    },
}

#[derive(Serialize)]
struct CardView {
    packet: Option<String>,
    theme: &'static str,
    title: String,
    body: String,
    fields: Vec<FieldView>,
    buttons: Vec<ButtonView>,
}

#[derive(Serialize)]
struct FieldView {
    user: Option<String>,
    label: String,
    value: String,
}

#[derive(Serialize)]
struct ButtonView {
    action: String,
    label: String,
    emphasis: &'static str,
}

/// The last line: how everything stands.
#[derive(Serialize)]
pub(super) struct EndView {
    kind: &'static str,
    wallets: Vec<WalletView>,
    audit: AuditView,
}

#[derive(Serialize)]
struct WalletView {
    user: String,
    balance: u64,
}

impl From<Card> for CardView {
    fn from(card: Card) -> Self {
        let fields = card.fields.into_iter().map(|field| FieldView {
            user: field.user.map(UserId::into_string),
            label: field.label,
            value: field.value,
        });
        let buttons = card.buttons.into_iter().map(|button| ButtonView {
            action: button.action,
            label: button.label,
            emphasis: button.emphasis.name(),
        });
        Self {
            packet: card.packet.map(|packet| packet.to_string()),
            theme: card.theme.name(),
            title: card.title,
            body: card.body,
            fields: fields.collect(),
            buttons: buttons.collect(),
        }
    }
}

impl OutcomeView {
    pub(super) fn new(line: u64, outcome: Outcome) -> Self {
        let what = match outcome {
            Outcome::Card { number, only, card } => {
                What::Card { number, r#for: only.map(UserId::into_string), card: card.into() }
            }
            Outcome::Notice { only, text } => What::Notice { r#for: only.into_string(), text },
            Outcome::Problem { only, problem } => {
                What::Problem { r#for: only.into_string(), code: problem.code, message: problem.message }
            }
            Outcome::Silence => What::Silence,
            Outcome::Unknown { did_you_mean } => What::Unknown { did_you_mean },
            Outcome::Advanced { now_ms, refunded } => What::Advanced { now_ms, refunded },
            Outcome::CacheLost => What::CacheLost,
            Outcome::Failed(error) => What::Failed { code: error.code(), message: error.to_string() },
            Outcome::Malformed(message) => What::Failed { code: "invalid-argument", message },
        };
        Self { line, what }
    }
}

impl EndView {
    pub(super) fn new(wallets: Vec<(UserId, Amount)>, audit: Audit) -> Self {
        let wallet = |(user, balance): (UserId, Amount)| WalletView {
            user: user.into_string(),
            balance: balance.get(),
        };
        Self { kind: "end", wallets: wallets.into_iter().map(wallet).collect(), audit: audit.into() }
    }
}

/// What the plugin says of itself, in a line.
pub(super) fn heading(manifest: &Manifest) -> String {
    let Manifest { name, version, asks, .. } = manifest;
    format!("{name} {version} asks for: {asks}\n")
}

/// What came of a line, as text.
pub(super) fn outcome(line: u64, outcome: &Outcome, currency: &Currency, in_colour: bool) -> String {
    let said = match outcome {
        Outcome::Card { number, only, card } => return draw::card(*number, only.as_ref(), card, in_colour),
        Outcome::Notice { only, text } => format!("for {only} alone: {text}"),
        Outcome::Problem { only, problem } => {
            format!("for {only} alone: {} ({})", problem.message, problem.code)
        }
        Outcome::Silence => "(the plugin says nothing)".to_owned(),
        Outcome::Unknown { did_you_mean: Some(known) } => {
            format!("(the plugin has no such command; did you mean {known}?)")
        }
        Outcome::Unknown { did_you_mean: None } => "(the plugin has no such command)".to_owned(),
        Outcome::Advanced { refunded, .. } if refunded.is_empty() => "(time passes)".to_owned(),
        Outcome::Advanced { refunded, .. } => {
            let all: i128 = refunded.iter().map(|refund| i128::from(refund.refunded)).sum();
            format!("(time passes, and {} goes back)", currency.show(all))
        }
        Outcome::CacheLost => "(the cache is lost)".to_owned(),
        Outcome::Failed(error) => format!("line {line}: {}: {error}", error.code()),
        Outcome::Malformed(why) => format!("line {line}: {why}"),
    };
    draw::wrap(&said, 96).into_iter().map(|line| format!("  {line}\n")).collect()
}

/// How everything stands, as text.
pub(super) fn end(wallets: Vec<(UserId, Amount)>, audit: &Audit, currency: &Currency) -> String {
    let mut table = Table::new(&["wallet", ">holds"]);
    for (user, balance) in wallets {
        table.row(vec![terminal::name(user.as_str()), currency.show(balance.get())]);
    }
    let money = |minor: i128| currency.show(minor);
    let verdict = match audit.is_conserved() {
        true => "every cent is accounted for",
        false => "THE BOOKS DO NOT ADD UP",
    };
    format!(
        "\n{}\n  {} sent = {} claimed + {} refunded + {} remaining; {verdict}\n",
        table.render("  "),
        money(audit.sent),
        money(audit.claimed),
        money(audit.refunded),
        money(audit.remaining),
    )
}
