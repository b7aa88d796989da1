//! A chat server with red packets in it: two tenants, a chat, an upgrade while it serves.
//!
//! `cargo run --example embed` runs it from end to end, in a temporary folder.

use std::error::Error;
use std::sync::Arc;

use hongbao_host::domain::{Amount, Limits, Message, PacketId, Policy, Presser, Reply, TenantId, UserId};
use hongbao_host::runtime::{Host, Pace, PluginSource, Tenant, TenantConfig, Workers};
use hongbao_host::store::sqlite::SqliteLedger;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Once, when the server starts: the books, a host on them, and its background work.
    let directory = tempfile::tempdir()?;
    let host = Host::builder().ledger(Arc::new(SqliteLedger::open(directory.path())?)).build()?;
    let workers = Workers::start(&host, Pace::default());
    let plugin = host.plugins().load(PluginSource::Embedded).await?;

    // Two customers. Neither can see the other's packets, wallets or load. The embedded plugin is granted
    // what it asks for; any other plugin needs `TenantConfig::grants`.
    let acme = TenantConfig::new(TenantId::new("acme")?);
    let acme = host.add(acme, plugin.clone()).await?;
    let tokyo = TenantConfig::new(TenantId::new("tokyo")?)
        .policy(Policy { currency: "JPY".into(), currency_digits: 0, ..Policy::default() })
        .limits(Limits { requests_per_second: std::num::NonZeroU32::new(500), ..Limits::default() });
    let tokyo = host.add(tokyo, plugin.clone()).await?;

    for (tenant, text) in [(&acme, "/hongbao 88.88 3 Happy new year"), (&tokyo, "/红包 300 2 新年快乐")]
    {
        println!("\n{} · {text}", tenant.id());
        chat(tenant, text).await?;
    }

    // A new version takes over once it has said what it is; one call goes back.
    acme.upgrade(plugin).await?;
    acme.rollback().await?;

    // When the server stops, settlement finishes its queue.
    workers.stop().await;
    for tenant in host.tenants() {
        let audit = tenant.audit().await?;
        println!("\n{}: {} packets, {} claims", tenant.id(), audit.packets, audit.claims);
        if !audit.is_conserved() {
            return Err("the books do not add up".into());
        }
    }
    Ok(())
}

/// Alice types a command, two of her friends tap.
async fn chat(tenant: &Tenant, text: &str) -> Result<(), Box<dyn Error>> {
    let alice = UserId::new("alice")?;
    tenant.fund(&alice, Amount::new(100_000)?).await?;
    let message = Message {
        id: "message-4711".into(),
        room: "family".into(),
        sender: alice,
        text: text.into(),
        mentions: Vec::new(),
        language: if text.is_ascii() { "en" } else { "zh-CN" }.into(),
    };
    let language = message.language.clone();
    let sent = tenant.command(message).await?;
    let packet = sent.iter().find_map(|reply| show("family", reply)).ok_or("the packet was not sent")?;
    for name in ["bob", "carol"] {
        for action in ["grab", "open"] {
            let by = Presser { user: UserId::new(name)?, language: language.clone() };
            for reply in tenant.action(packet, action.into(), by).await? {
                show(if is_private(&reply) { name } else { "family" }, &reply);
            }
        }
    }
    Ok(())
}

/// What is not a card for the room is for one user.
fn is_private(reply: &Reply) -> bool {
    !matches!(reply, Reply::Card(card) if !card.private)
}

/// A platform draws cards in its own way; this one writes a line. Gives the packet that it is about.
fn show(to: &str, reply: &Reply) -> Option<PacketId> {
    match reply {
        Reply::Card(card) => {
            let buttons: Vec<_> = card.buttons.iter().map(|button| format!("[{}]", button.label)).collect();
            println!(
                "  to {to:<7} {} · {} {}",
                card.title,
                card.body.replace('\n', " · "),
                buttons.join(" ")
            );
            return card.packet;
        }
        Reply::Notice(text) => println!("  to {to:<7} {text}"),
        Reply::Problem(problem) => println!("  to {to:<7} {} ({})", problem.message, problem.code),
    }
    None
}
