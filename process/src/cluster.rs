//! The way to the cluster's API.
//!
//! In: the path of a kubeconfig, or nothing: then the environment says, as for kubectl, or the pod. Out: a client whose requests
//! end. A server that takes connections and answers nothing would otherwise hold whoever asked it, for ever.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::timeout::TimeoutLayer;

/// An answer begins within this time, or it is a failure. That of a watch begins at once and may then last.
const ANSWER: Duration = Duration::from_secs(30);
/// No answer is silent for longer: the server ends a watch that has nothing to tell after 290 seconds.
const SILENCE: Duration = Duration::from_secs(330);

/// The client.
///
/// # Errors
/// When there is no cluster to be found, or its certificates cannot be used.
pub async fn client(kubeconfig: Option<&Path>) -> anyhow::Result<Client> {
    let config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path)
                .with_context(|| format!("--kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
        }
        None => Config::infer().await.context("no Kubernetes cluster: set --kubeconfig")?,
    };
    with_limits(config, ANSWER)
}

fn with_limits(mut config: Config, answer: Duration) -> anyhow::Result<Client> {
    config.read_timeout = Some(SILENCE);
    // Or the time that a connection was idle before would count.
    config.reset_reader_on_write = true;
    Ok(ClientBuilder::try_from(config)?.with_layer(&TimeoutLayer::new(answer)).build())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use tokio::{net::TcpListener, time::timeout};

    use super::*;

    #[tokio::test]
    async fn a_server_that_answers_nothing_is_a_failure() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: http::Uri =
            format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
        let client = with_limits(Config::new(address), Duration::from_millis(100)).unwrap();
        let objects: Api<ConfigMap> = Api::default_namespaced(client);
        let asked = timeout(Duration::from_secs(20), objects.get("a")).await;
        let error = asked.expect("it ends by itself").unwrap_err();
        assert!(error.to_string().contains("timed out"), "{error}");
    }
}
