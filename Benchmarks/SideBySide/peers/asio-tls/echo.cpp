// asio's echo server over TLS, in the way of its examples: `echo CHAIN KEY PORT`. As peers/asio/echo.cpp, with a stream
// of OpenSSL around the socket and a handshake before the first read.
#include <asio.hpp>
#include <asio/ssl.hpp>
#include <cstdlib>
#include <memory>
#include <system_error>

using asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
public:
  Session(tcp::socket socket, asio::ssl::context &context) : stream_(std::move(socket), context) {}

  void start() {
    auto self = shared_from_this();
    stream_.async_handshake(asio::ssl::stream_base::server, [self](std::error_code error) {
      if (!error) self->read();
    });
  }

private:
  void read() {
    auto self = shared_from_this();
    stream_.async_read_some(asio::buffer(bytes_), [self](std::error_code error, std::size_t length) {
      if (!error) self->write(length);
    });
  }

  void write(std::size_t length) {
    auto self = shared_from_this();
    asio::async_write(stream_, asio::buffer(bytes_, length), [self](std::error_code error, std::size_t) {
      if (!error) self->read();
    });
  }

  asio::ssl::stream<tcp::socket> stream_;
  char bytes_[65536];
};

static void accept(tcp::acceptor &acceptor, asio::ssl::context &secrets) {
  acceptor.async_accept([&](std::error_code error, tcp::socket socket) {
    if (!error) {
      std::error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<Session>(std::move(socket), secrets)->start();
    }
    accept(acceptor, secrets);
  });
}

int main(int, char **arguments) {
  asio::io_context context(1); // a hint that one thread runs it, which spares locks
  asio::ssl::context secrets(asio::ssl::context::tls_server);
  secrets.use_certificate_chain_file(arguments[1]);
  secrets.use_private_key_file(arguments[2], asio::ssl::context::pem);
  auto port = static_cast<unsigned short>(std::atoi(arguments[3]));
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
  accept(acceptor, secrets);
  context.run();
}
