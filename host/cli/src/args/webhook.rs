//! Arguments of `hongbao webhook`.

use clap::{Args, Subcommand};

/// How the receiver answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// With this status.
    Status(u16),
    /// With 204, after 20 seconds.
    Slow,
}

fn reaction(text: &str) -> Result<Reaction, String> {
    if text == "slow" {
        return Ok(Reaction::Slow);
    }
    let status = text.parse().ok().filter(|status| (200..=599).contains(status));
    status.map(Reaction::Status).ok_or_else(|| "it must be a status from 200 to 599, or slow".into())
}

#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    #[command(subcommand)]
    pub(crate) command: WebhookCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Receive messages on this machine, verify their signatures and print one line for each
    Listen {
        /// Port on 127.0.0.1; 0 picks a free port
        #[arg(long, value_name = "N", default_value_t = 8090)]
        port: u16,

        /// Secret of the webhook, whsec_…; may be repeated while a secret is replaced. HONGBAO_WEBHOOK_SECRET is used
        /// if it is not given; without any, signatures are not verified
        #[arg(long, value_name = "SECRET")]
        secret: Vec<String>,

        /// Answer with this status, or `slow`: after 20 seconds, which is too late
        #[arg(long, value_name = "STATUS", default_value = "204", value_parser = reaction)]
        answer: Reaction,

        /// Print one JSON object for each message
        #[arg(long)]
        json: bool,
    },
}
