//! tokio's echo server, as peers/tokio/serving, for streams that something stands around: `CHAIN KEY PORT`.

use std::future::Future;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub struct Arguments {
    pub chain: String,
    pub key: String,
    port: u16,
}

pub fn arguments() -> Arguments {
    let mut words = std::env::args().skip(1);
    let mut word = || words.next().expect("arguments: CHAIN KEY PORT");
    Arguments { chain: word(), key: word(), port: word().parse().expect("the last argument is a port") }
}

pub async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let mut buffer = vec![0u8; 65536];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => {
                // What stands around a stream may keep bytes until it is told not to.
                if stream.write_all(&buffer[..length]).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
        }
    }
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    socket.listen(4096)
}

/// Serves each connection by a task of its own, forever.
pub async fn serve<F, T>(arguments: &Arguments, protect: F) -> std::io::Result<()>
where
    F: Fn(TcpStream) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    let listener = listen(arguments.port)?;
    loop {
        let (stream, _) = listener.accept().await?;
        // A client may be gone by now.
        if stream.set_nodelay(true).is_ok() {
            tokio::spawn(protect(stream));
        }
    }
}
