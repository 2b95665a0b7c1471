//! The client against a scripted server over real HTTP: what it sends, what it makes of answers, when it asks
//! again. No test waits for a fixed time; where Neon names one (`Retry-After`) the shortest is used.

mod errors;
mod lists;
mod lost;
mod repeats;
mod secrets;
mod server;
mod shapes;

use std::{
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use secrecy::SecretString;
use url::Url;

use super::{Call, Client, Retries, Settings};

/// The API key of these tests: nothing may ever show it.
const KEY: &str = "napi-test-0123456789";

/// Every attempt that a client reported, as `route status`.
type Calls = Arc<Mutex<Vec<String>>>;

fn settings(base_url: &str) -> Settings {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().ok();
    });
    Settings {
        base_url: Url::parse(base_url).unwrap(),
        api_key: SecretString::from(KEY),
        org_id: None,
        timeout: Duration::from_secs(5),
        retries: Retries {
            attempts: 4,
            base: Duration::from_millis(1),
            cap: Duration::from_millis(4),
        },
        root_ca: None,
    }
}

fn client_with(settings: Settings) -> (Client, Calls) {
    let calls = Calls::default();
    let log = Arc::clone(&calls);
    let hear = move |call: &Call| {
        log.lock().unwrap().push(format!("{} {}", call.route, call.status));
    };
    (Client::new(settings, hear).unwrap(), calls)
}

fn client(base_url: &str) -> (Client, Calls) {
    client_with(settings(base_url))
}
