// hyper's server on tokio's current-thread runtime: `hyper_http BYTES PORT`. Each answer has a body of so many bytes.
use hyper::body::Bytes;
use hyper::service::{make_service_fn, service_fn};
use hyper::{Body, Response, Server};
use std::convert::Infallible;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let bytes: usize = words[1].parse().expect("BYTES");
    let port: u16 = words[2].parse().expect("PORT");
    let body = if bytes == 13 { Bytes::from_static(b"Hello, world!") } else { Bytes::from(vec![b'x'; bytes]) };
    let service = make_service_fn(move |_| {
        let body = body.clone();
        async move {
            Ok::<_, Infallible>(service_fn(move |_request| {
                let answer = Response::builder()
                    .header("content-type", "text/plain")
                    .body(Body::from(body.clone()))
                    .expect("an answer");
                async move { Ok::<_, Infallible>(answer) }
            }))
        }
    });
    let server = Server::bind(&([127, 0, 0, 1], port).into()).tcp_nodelay(true).serve(service);
    server.await.expect("the server ended");
}
