// tokio's echo server over TLS by rustls, on the current-thread runtime.
//
// Sessions are kept in memory, which is what rustls does unless it is told otherwise.
mod serving;

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;
use tokio_rustls::rustls::{Certificate, PrivateKey, ServerConfig};
use tokio_rustls::TlsAcceptor;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let arguments = serving::arguments();
    let chain = rustls_pemfile::certs(&mut BufReader::new(File::open(&arguments.chain)?))?;
    let key = rustls_pemfile::pkcs8_private_keys(&mut BufReader::new(File::open(&arguments.key)?))?.remove(0);
    let config = ServerConfig::builder()
        .with_safe_defaults()
        .with_no_client_auth()
        .with_single_cert(chain.into_iter().map(Certificate).collect(), PrivateKey(key))
        .expect("a certificate and its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serving::serve(&arguments, |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                serving::echo(stream).await
            }
        }
    })
    .await
}
