//! tokio's echo server without its runtime: a task with a buffer of 64 KiB for each connection.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

async fn echo(mut stream: TcpStream) {
    let mut buffer = vec![0u8; 65536];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => {
                if stream.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

pub fn port() -> u16 {
    std::env::args().last().unwrap().parse().expect("the last argument is a port")
}

pub async fn serve(port: u16) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    let listener = socket.listen(4096)?;
    loop {
        let (stream, _) = listener.accept().await?;
        // A client may be gone by now.
        if stream.set_nodelay(true).is_ok() {
            tokio::spawn(echo(stream));
        }
    }
}
