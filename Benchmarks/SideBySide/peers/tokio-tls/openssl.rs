// tokio's echo server over TLS by OpenSSL, on the current-thread runtime.
//
// The settings are Mozilla's for TLS 1.3, as the crate offers them for servers; tickets and the rest are OpenSSL's own.
mod serving;

use openssl::ssl::{Ssl, SslAcceptor, SslFiletype, SslMethod};
use std::pin::Pin;
use std::sync::Arc;
use tokio_openssl::SslStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let arguments = serving::arguments();
    let mut builder = SslAcceptor::mozilla_modern_v5(SslMethod::tls_server())?;
    builder.set_certificate_chain_file(&arguments.chain)?;
    builder.set_private_key_file(&arguments.key, SslFiletype::PEM)?;
    builder.set_session_id_context(b"tokio")?;
    let acceptor = Arc::new(builder.build());
    serving::serve(&arguments, |stream| {
        let acceptor = acceptor.clone();
        async move {
            let session = Ssl::new(acceptor.context()).expect("a session");
            let mut stream = SslStream::new(session, stream).expect("a stream");
            if Pin::new(&mut stream).accept().await.is_ok() {
                serving::echo(stream).await
            }
        }
    })
    .await
}
