// tokio's echo server on the current-thread runtime, and nothing else.
mod serving;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    serving::serve(serving::port()).await
}
