//! Ctrl-C, and SIGTERM, which is as good.

use tokio::sync::OnceCell;
use tokio::sync::watch::{Receiver, channel};

static ASKED: OnceCell<Receiver<bool>> = OnceCell::const_new();

async fn listening() -> Receiver<bool> {
    let listen = async || {
        let (sender, receiver) = channel(false);
        tokio::spawn(async move {
            signal().await;
            let _ = sender.send(true);
            // Whoever asks twice does not want to wait.
            signal().await;
            std::process::exit(130);
        });
        receiver
    };
    ASKED.get_or_init(listen).await.clone()
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} },
        Err(_) => drop(interrupt.await),
    }
}

/// Ends when somebody asks for the end.
pub(crate) async fn asked() {
    let _ = listening().await.wait_for(|asked| *asked).await;
}

/// Whether somebody asked for the end already; from the first time on that this is asked, a signal ends nothing by itself.
pub(crate) async fn is_asked() -> bool {
    *listening().await.borrow()
}
