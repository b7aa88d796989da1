//! A bridge from its start to its end.

use std::io::{Write as _, stdout};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::bridge::Bridge;
use crate::config::Config;
use crate::event;
use crate::exit::{Exit, Failure};
use crate::fault::Fault;
use crate::hongbao::Hongbao;
use crate::live;
use crate::matrix::Matrix;
use crate::serve;
use crate::web;

const NAME: &str = "Hongbao 🧧";
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

pub(crate) async fn run(config: Config) -> Result<(), Failure> {
    let mut signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    // First, so that a homeserver finds somebody: its requests wait for what follows.
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.map_err(|error| Failure::listen(config.listen, &error))?;
    let bridge = tokio::select! {
        bridge = bridge(&config) => Arc::new(bridge?),
        () = told_to_end(&mut signals) => return Ok(()),
    };
    let mut out = stdout();
    writeln!(out, "Hongbao's bridge listens on http://{}", listener.local_addr()?)?;
    writeln!(out, "  user      {}", bridge.matrix.bot)?;
    writeln!(out, "  servers   {}", bridge.servers.join(", "))?;
    out.flush()?;
    let beside = tokio::spawn(beside(Arc::clone(&bridge), config.registration.id.clone()));
    let router = serve::router(bridge, &config.registration.hs_token);
    axum::serve(listener, router).with_graceful_shutdown(ended(signals)).await?;
    beside.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Ends when the process is told to. Told a second time, it ends where it is: nothing is lost by that.
async fn ended(mut signals: [Signal; 2]) {
    told_to_end(&mut signals).await;
    tracing::info!("stopping: a transaction under way is finished");
    tokio::spawn(async move {
        told_to_end(&mut signals).await;
        std::process::exit(Exit::Unavailable as i32);
    });
}

async fn told_to_end([terminate, interrupt]: &mut [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Waits until the homeserver answers, and makes a bridge.
async fn bridge(config: &Config) -> Result<Bridge, Failure> {
    let http = web::client().map_err(|error| Failure::internal(error.to_string()))?;
    let (url, token) = (config.homeserver.clone(), config.registration.as_token.clone());
    let mut matrix = Matrix { http: http.clone(), url, token, bot: String::new() };
    let mut pause = Duration::from_millis(500);
    matrix.bot = loop {
        match matrix.register(&config.registration.sender_localpart).await {
            Ok(bot) => break bot,
            Err(Fault::Final { code, message }) => {
                return Err(Failure::config(format!(
                    "the homeserver refuses this bridge: {message} ({code})"
                )));
            }
            Err(fault) if fault.to_string().contains("M_UNKNOWN_TOKEN") => {
                return Err(Failure::config(format!(
                    "{fault}; does Synapse have this registration file, and was it restarted?"
                )));
            }
            Err(fault) => tracing::warn!("the homeserver is not there yet: {fault}"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    let hongbao = Hongbao { http, url: config.hongbao.clone(), key: config.key.clone() };
    let servers = match config.servers.is_empty() {
        true => vec![event::server(&matrix.bot).to_owned()],
        false => config.servers.clone(),
    };
    Ok(Bridge::new(matrix, hongbao, servers, config.language.clone(), config.new_users_per_hour))
}

/// What has to be done once, and what an operator should know; transactions do not wait for it.
async fn beside(bridge: Arc<Bridge>, id: String) {
    if let Err(fault) = bridge.matrix.set_name(NAME).await {
        tracing::debug!("the bridge's user has no name: {fault}");
    }
    match bridge.hongbao.check(&bridge.matrix.bot).await {
        Ok(()) => tracing::info!("Hongbao answers, and takes the key"),
        Err(fault) => tracing::error!("Hongbao cannot be used; what happens in rooms waits for it: {fault}"),
    }
    match bridge.matrix.ping(&id).await {
        Ok(()) => tracing::info!("the homeserver reaches this bridge"),
        Err(fault) => {
            tracing::error!("the homeserver does not reach this bridge by the registration's URL: {fault}")
        }
    }
    live::recover(bridge).await;
}
