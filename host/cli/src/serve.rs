//! `hongbao serve`: serves the HTTP API, and with `--demo` a chat page.

use std::io::{IsTerminal as _, Write as _, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::ServeArgs;
use super::exit::{Exit, InputError};
use super::lock::Use;
use super::stores::{Books, Stores};
use hongbao_domain::{Name, Scope};
use hongbao_runtime::{Announcer, CodeCache, Compiler, Host, HostBuilder, Pace, Tenant, Workers};
use hongbao_server::{Listening, NewKey, Seal, Service};
use hongbao_store::Ledger;
use hongbao_store::Registry;
use hongbao_store::change_feed::ChangeFeed;
use hongbao_store::packet_cache::PacketCache;

/// Where the books are of a service that was told nothing.
const DATA: &str = "hongbao-data";

pub(super) async fn run(args: &ServeArgs, plugin: Option<&Path>) -> anyhow::Result<Exit> {
    if plugin.is_some() {
        let why = "serve takes its plugins from [plugins] and [tenants] of the configuration, or from calls";
        return Err(InputError::Usage(why).into());
    }
    // The soft limit is often 1,024, which is for programs that use select(2).
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!("the limit of open files cannot be raised: {error}");
    }
    let mut stores = Stores::named(&args.stores)?;
    stores.validate_serve()?;
    let (address, tls) = (stores.serve.address(args), stores.serve.tls(args));
    let webhooks = stores.serve.webhooks(args)?;
    for_others(args, address)?;
    if stores.books == Books::Memory && !args.demo {
        stores.books = Books::Directory(DATA.into());
    }
    let _file_size = ignore_file_size_limit();
    let _lock = stores.lock(Use::Alone)?;
    let (counter, ledger) = (stores.counter_or_later().await?, stores.served_ledger().await?);
    let (registry, events) = (stores.registry().await?, stores.events_or_later().await?);
    let packets = PacketCache::new(Arc::<dyn Ledger>::clone(&ledger), ledger.history());
    let (feed, changes) = ChangeFeed::new(Arc::new(packets));
    let host = Host::builder().counter(counter).ledger(Arc::clone(&ledger)).packets(Arc::new(feed));
    let compiler = Compiler::in_processes(own_program()?, stores.serve.compile_limits());
    let host = cached(host, &stores)?.compiler(compiler).build()?;
    let announcer = Announcer::start(changes, ledger, Arc::clone(&events), host.clock());
    let service = Service::builder(host.clone())
        .events(events)
        .registry(Arc::clone(&registry))
        .settings(stores.serve.settings())
        .webhooks(webhooks);
    let service = if args.demo { service.demo(stores.serve.demo()) } else { service };
    let service = service.build()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut signals = Signals::new()?;
    let listening = tokio::select! {
        listening = service.listen(address, tls, &stores.tenants) => listening?,
        () = signals.end() => return Ok(Exit::Ok),
    };
    let workers = Workers::start(&host, Pace::default());
    let url = format!("{scheme}://{}", listening.address());
    greet(args, &stores, &host, &url)?;
    first_key(&stores, &host, &*registry).await?;
    if args.open {
        open_in_browser(&url);
    }

    until_told(&listening, signals).await;
    tracing::info!("stopping: requests under way finish");
    listening.stop(stores.serve.notice()).await;
    announcer.stop().await;
    workers.stop().await;
    tracing::info!("stopped");
    Ok(Exit::Ok)
}

/// A demo gives a key to whoever asks, so who can ask is said and not found out.
fn for_others(args: &ServeArgs, address: SocketAddr) -> Result<(), InputError> {
    if !args.demo || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    if !args.demo_public {
        let why = "with --demo whoever reaches the address that it listens on is given a key and money to play with; \
                   where others can reach it, say --demo-public";
        return Err(InputError::Usage(why));
    }
    tracing::warn!("the demo on {address} gives a key to everybody who can reach it");
    Ok(())
}

/// Compiled plugins outlive the process where there is a place for them.
fn cached(host: HostBuilder, stores: &Stores) -> anyhow::Result<HostBuilder> {
    let beside = match &stores.books {
        Books::Directory(directory) => Some(directory.join("code")),
        _ => None,
    };
    let place = stores.serve.code_cache().map(Path::to_owned).or(beside);
    Ok(match place {
        Some(place) => host.code_cache(Arc::new(CodeCache::open(&place)?)),
        None => host,
    })
}

/// This very program, to be started as a compiler. On Linux by a name that stays right when another version
/// is put in its place.
fn own_program() -> std::io::Result<PathBuf> {
    const OWN: &str = "/proc/self/exe";
    if Path::new(OWN).exists() { Ok(OWN.into()) } else { std::env::current_exe() }
}

/// What the process may be told. Listened for before anybody is answered: else a signal right after the
/// first answer would end the process where it is.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let [terminate, interrupt, hang_up] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Self { terminate: terminate?, interrupt: interrupt?, hang_up: hang_up? })
    }

    /// The process is told to end.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A file that reaches the process's limit on sizes (`ulimit -f`) is an error of the write and not the end
/// of the process, so that the ledger can say that it takes no writes.
fn ignore_file_size_limit() -> Option<Signal> {
    /// The number of SIGXFSZ on Linux, macOS and the BSDs.
    const NUMBER: i32 = 25;
    signal(SignalKind::from_raw(NUMBER)).ok()
}

/// Ends when the process is told to.
async fn until_told(listening: &Listening, mut signals: Signals) {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hang_up.recv() => match listening.reload_certificate().await {
                Ok(true) => tracing::info!("the certificate was read again"),
                Ok(false) => tracing::info!("SIGHUP: there is no TLS here, so no certificate was read"),
                Err(error) => tracing::error!(code = error.code(), "the former certificate stays: {error}"),
            },
        }
    }
    // Told a second time, it ends where it is: what was acknowledged is durable.
    tokio::spawn(async move {
        signals.end().await;
        std::process::exit(Exit::Unavailable as i32);
    });
}

/// What is served, and where.
fn greet(args: &ServeArgs, stores: &Stores, host: &Host, url: &str) -> anyhow::Result<()> {
    let books = match &stores.books {
        Books::Memory => "in memory: gone when this ends".to_owned(),
        Books::Directory(directory) => format!("SQLite in {}", directory.display()),
        Books::Server(_) => "PostgreSQL".to_owned(),
    };
    let [_, counter] = host.health();
    let counter = match (&stores.counter, counter.report()) {
        (None, _) => "in memory".to_owned(),
        (Some(_), report) if report.works() => "Redis".to_owned(),
        (Some(_), report) => {
            format!("Redis, which cannot be used now ({}): grabs are contended until it can", report.reason)
        }
    };
    let mut out = stdout();
    let mark = if out.is_terminal() { "🧧 " } else { "" };
    writeln!(out, "{mark}Hongbao serves on {url}")?;
    if args.demo {
        writeln!(out, "  page      {url}/   (open it in two windows to be two people)")?;
    }
    writeln!(out, "  API       {url}/docs   {url}/openapi.json")?;
    writeln!(out, "  ledger    {books}")?;
    writeln!(out, "  counter   {counter}")?;
    writeln!(out, "  tenants   {}", counted(&host.tenants()))?;
    out.flush()?;
    Ok(())
}

/// How many there are, and who the first of them are.
fn counted(tenants: &[Tenant]) -> String {
    const NAMED: usize = 5;
    let names: Vec<_> = tenants.iter().take(NAMED).map(|tenant| tenant.id().as_str()).collect();
    match tenants.len() {
        0 => "none yet: POST /v1/tenants makes one, or [tenants] of the configuration".into(),
        count if count > NAMED => format!("{count}: {}, …", names.join(", ")),
        count => format!("{count}: {}", names.join(", ")),
    }
}

/// Where there is no browser, the address was printed all the same.
fn open_in_browser(url: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = std::process::Command::new(opener);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.spawn() {
        tracing::debug!("no browser was opened: {opener}: {error}");
    }
}

/// A service that nobody has a key for is of no use. Where keys outlive the process, making one is a
/// command; where they do not, one is made now.
async fn first_key(stores: &Stores, host: &Host, registry: &dyn Registry) -> anyhow::Result<()> {
    if !registry.keys(None, None, 1).await?.is_empty() {
        return Ok(());
    }
    let mut out = stdout();
    let place = match &stores.books {
        Books::Memory => {
            let scopes = [Scope::Operator].into_iter().collect();
            let label = Name::new("first")?;
            let new = NewKey { tenant: None, user: None, label, scopes, expires_at_ms: None };
            let (key, text) = new.make(&Seal::of(registry).await?, host.now_ms())?;
            registry.add_key(key).await?;
            writeln!(out, "  operator  {text}")?;
            return Ok(());
        }
        Books::Directory(directory) => format!("--data {}", directory.display()),
        // A URL may have a password in it.
        Books::Server(_) => "--ledger …".to_owned(),
    };
    writeln!(out, "  operator  no API key yet: hongbao key create --operator --label ops {place}")?;
    Ok(())
}
