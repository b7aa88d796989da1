//! `hongbao key`: creates, lists and revokes API keys.

use std::io::{Write as _, stdout};

use super::args::{KeyArgs, KeyCommand};
use super::exit::{Exit, InputError};
use super::known;
use super::stores::{Books, Stores};
use super::table::Table;
use super::terminal;
use hongbao_domain::{ApiKey, KeyId, Name, Scope, Scopes, TenantId};
use hongbao_runtime::imports::{Clock as _, SystemClock};
use hongbao_server::{NewKey, Seal};
use hongbao_store::{AdminEntry, Registry};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Keys of one question to the registry.
const AT_ONCE: u32 = 100;

pub(super) async fn run(args: &KeyArgs) -> anyhow::Result<Exit> {
    match &args.command {
        KeyCommand::Create { label, operator, scope, days, stores } => {
            let stores = Stores::named(stores)?;
            let tenant = (!operator).then(|| stores.tenant.clone());
            create(&stores, tenant, label, scope, *days).await
        }
        KeyCommand::List { operator, stores } => {
            let stores = Stores::named(stores)?;
            let tenant = (!operator).then(|| stores.tenant.clone());
            list(&stores, tenant).await
        }
        KeyCommand::Revoke { id, operator, stores } => {
            let stores = Stores::named(stores)?;
            let tenant = (!operator).then(|| stores.tenant.clone());
            revoke(&stores, tenant, id).await
        }
    }
}

/// The records of a service, which are where its ledger is.
async fn registry(stores: &Stores) -> anyhow::Result<std::sync::Arc<dyn Registry>> {
    if stores.books == Books::Memory {
        let why = "which service? Name its directory with --data or its database with --ledger";
        return Err(InputError::Usage(why).into());
    }
    // The tables of both are made with the ledger.
    stores.ledger().await?;
    stores.registry().await
}

async fn create(
    stores: &Stores,
    tenant: Option<TenantId>,
    label: &str,
    scopes: &[String],
    days: Option<u64>,
) -> anyhow::Result<Exit> {
    let invalid = |what: &str, why: &dyn std::fmt::Display| InputError::Invalid(format!("{what} {why}"));
    let label = Name::new(label).map_err(|error| invalid("a label", &error))?;
    let scopes: Scopes = match &tenant {
        None => [Scope::Operator].into_iter().collect(),
        Some(_) => scopes
            .iter()
            .map(|name| name.parse().map_err(|error| invalid("the scope", &error)))
            .collect::<Result<_, _>>()?,
    };
    if tenant.is_some() && scopes.has(Scope::Operator) {
        return Err(InputError::Usage("the scope operator is of no tenant: say --operator").into());
    }
    let registry = registry(stores).await?;
    if tenant.is_some() {
        known::to_the_service(stores, &*registry).await?;
    }
    let now_ms = SystemClock.now_ms();
    let expires_at_ms = days.map(|days| now_ms.saturating_add(days.saturating_mul(DAY_MS)));
    let new = NewKey { tenant: tenant.clone(), user: None, label, scopes, expires_at_ms };
    let (key, text) = new.make(&Seal::of(&*registry).await?, now_ms)?;
    let subject = format!("{} {} ({scopes})", key.id, key.label);
    registry.add_key(key).await?;
    let whose = whose(tenant.as_ref());
    note(&*registry, now_ms, tenant, "key.create", subject).await?;
    writeln!(stdout(), "{text}")?;
    eprintln_once(&format!("A key of {whose}. Keep it well: it is not shown again."));
    Ok(Exit::Ok)
}

/// `the operator`, or which tenant.
fn whose(tenant: Option<&TenantId>) -> String {
    tenant
        .map_or_else(|| "the operator".into(), |tenant| format!("tenant {}", terminal::name(tenant.as_str())))
}

/// To a person, beside what a program reads.
fn eprintln_once(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "{sentence}");
}

async fn list(stores: &Stores, tenant: Option<TenantId>) -> anyhow::Result<Exit> {
    let registry = registry(stores).await?;
    let now_ms = SystemClock.now_ms();
    let mut table = Table::new(&["id", "label", "scopes", "made", "state"]);
    let (mut after, mut count) = (None, 0);
    loop {
        let keys = registry.keys(tenant.as_ref(), after, AT_ONCE).await?;
        after = keys.last().map(|key| key.id);
        let is_last = keys.len() < AT_ONCE as usize;
        count += keys.len();
        for key in keys {
            let state = state(&key, now_ms);
            let made = age(now_ms.saturating_sub(key.created_at_ms));
            table.row(vec![
                key.id.to_string(),
                terminal::name(key.label.as_str()),
                key.scopes.to_string(),
                made,
                state.into(),
            ]);
        }
        if is_last {
            break;
        }
    }
    if count == 0 && tenant.as_ref().is_some_and(|tenant| *tenant != TenantId::default()) {
        known::to_the_service(stores, &*registry).await?;
    }
    let whose = whose(tenant.as_ref());
    match count {
        0 => writeln!(stdout(), "There is no key of {whose}.")?,
        _ => write!(stdout(), "Keys of {whose}:\n{}", table.render(""))?,
    }
    Ok(Exit::Ok)
}

fn age(ms: u64) -> String {
    match ms / DAY_MS {
        0 => "today".into(),
        1 => "yesterday".into(),
        days => format!("{days} days ago"),
    }
}

fn state(key: &ApiKey, now_ms: u64) -> &'static str {
    match key {
        ApiKey { revoked_at_ms: Some(_), .. } => "revoked",
        key if !key.is_valid(now_ms) => "expired",
        _ => "valid",
    }
}

async fn revoke(stores: &Stores, tenant: Option<TenantId>, id: &str) -> anyhow::Result<Exit> {
    let id: KeyId = id.parse().map_err(|error| InputError::Invalid(format!("the id of a key {error}")))?;
    let registry = registry(stores).await?;
    let now_ms = SystemClock.now_ms();
    let revoked = registry.revoke_key(tenant.as_ref(), id, now_ms).await?;
    let key = revoked.ok_or_else(|| InputError::Invalid(format!("there is no API key {id} here")))?;
    note(&*registry, now_ms, tenant, "key.revoke", key.id.to_string()).await?;
    writeln!(stdout(), "{id} ({}) is revoked.", terminal::line(key.label.as_str()))?;
    Ok(Exit::Ok)
}

async fn note(
    registry: &dyn Registry,
    at_ms: u64,
    tenant: Option<TenantId>,
    action: &str,
    subject: String,
) -> anyhow::Result<()> {
    let (action, outcome) = (action.to_owned(), "ok".to_owned());
    registry.note(AdminEntry { at_ms, by: None, tenant, action, subject, outcome }).await?;
    Ok(())
}
