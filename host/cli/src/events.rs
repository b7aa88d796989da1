//! `hongbao events`: prints what happened to a tenant's money, as HTTP tells it.

use std::io::{Write as _, stdout};
use std::time::Duration;

use super::args::EventsArgs;
use super::exit::{Exit, InputError};
use super::known;
use super::stores::Stores;
use hongbao_domain::MoneyEventId;
use hongbao_server::MoneyEventView;
use hongbao_store::Ledger;

/// Of one look.
const AT_ONCE: u32 = 1_000;
/// Between two looks, where nothing was new.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn run(args: &EventsArgs) -> anyhow::Result<Exit> {
    let stores = Stores::named(&args.stores)?;
    let ledger = stores.existing_ledger().await?;
    let mut at = args.after;
    loop {
        let last = print(&*ledger, &stores, at).await?;
        let is_new = last != at;
        if !args.follow && !is_new {
            if at.is_none() {
                // Where there is something to tell, there is such a tenant.
                known::in_the_books(&stores, &ledger.audit(&stores.tenant).await?).await?;
            }
            return Ok(Exit::Ok);
        }
        at = last;
        if !is_new {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Prints what comes after an event; gives the last one that was printed.
async fn print(
    ledger: &dyn Ledger,
    stores: &Stores,
    after: Option<MoneyEventId>,
) -> anyhow::Result<Option<MoneyEventId>> {
    let Some(events) = ledger.money_events(&stores.tenant, after, AT_ONCE).await? else {
        let why = "the ledger knows no such event of this tenant: it was never given, or the ledger was restored from \
                   a backup; leave it out to begin with the first";
        let (code, setting) = ("cursor-gone", "--after".to_owned());
        return Err(InputError::Setting { code, setting, why: why.into() }.into());
    };
    let last = events.last().map(|last| last.id).or(after);
    let mut out = stdout().lock();
    for event in events {
        writeln!(out, "{}", serde_json::to_string(&MoneyEventView::from(event))?)?;
    }
    out.flush()?;
    Ok(last)
}
