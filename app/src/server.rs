//! Serves connections, with the limits that a public address needs and axum's own server does not have.
//!
//! In: a listener, the router. Out: answers, until told to stop; then requests in hand are finished. A connection that does not
//! send the head of a request in time is closed, so that nobody can fill the process with silence.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderValue, Request, header::CONNECTION},
    middleware::map_response,
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulConnection, GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

/// How long the head of a request may take, from the connection or the last answer on.
const HEAD: Duration = Duration::from_secs(30);
/// Pause after a connection that could not be accepted: files may have run out.
const AGAIN: Duration = Duration::from_millis(100);

/// Makes every answer close its connection once the process is to end: a client that is told so sends its next request elsewhere,
/// one whose idle connection is cut may have just sent it.
#[derive(Clone, Debug, Default)]
pub struct Closing(Arc<AtomicBool>);

impl Closing {
    /// From now on.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The router whose answers do so.
    pub fn over(&self, router: Router) -> Router {
        let this = self.clone();
        router.layer(map_response(move |mut answer: Response| {
            if this.0.load(Ordering::Relaxed) {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            std::future::ready(answer)
        }))
    }
}

/// Serves until `stop` is done, then until every request in hand is answered.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    serve_within(listener, router, stop, HEAD).await;
}

async fn serve_within(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    head: Duration,
) {
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(stream, peer, router.clone(), head);
                let connection = graceful.watch(connection);
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection broke");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    head: Duration,
) -> impl GracefulConnection<Error = hyper::Error> + Send {
    // Answers are written at once; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let service = tower::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn ask(address: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn silence_is_ended_and_requests_are_answered_with_their_peer() {
        let peer =
            |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let until = async { drop(stopped.await) };
        let router = Router::new().route("/", get(peer));
        let head = Duration::from_millis(200);
        let serving = tokio::spawn(serve_within(listener, router, until, head));
        let answer = ask(address, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
        // Half a head, and none at all: closed by the server.
        let half = ask(address, "GET / HTTP/1.1\r\nho").await;
        assert!(half.is_empty() || half.contains("408"), "{half}");
        assert_eq!(ask(address, "").await, "");
        stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn while_it_drains_requests_are_answered_and_connections_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let closing = Closing::default();
        let router = closing.over(Router::new().route("/", get(|| async { "here" })));
        let serving = tokio::spawn(serve(listener, router, async { drop(stopped.await) }));
        let request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        // A connection that was kept alive from before.
        let mut kept = TcpStream::connect(address).await.unwrap();
        kept.write_all(request.as_bytes()).await.unwrap();
        let (mut first, mut part) = (String::new(), [0_u8; 1024]);
        while !first.ends_with("here") {
            let length = kept.read(&mut part).await.unwrap();
            first += &String::from_utf8_lossy(&part[..length]);
        }
        assert!(!first.contains("connection: close"), "{first}");
        closing.begin();
        kept.write_all(request.as_bytes()).await.unwrap();
        let mut last = String::new();
        kept.read_to_string(&mut last).await.unwrap();
        // And one that was made after.
        for answer in [last, ask(address, request).await] {
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
            assert!(answer.contains("connection: close"), "{answer}");
        }
        stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    }
}
