// asio's echo server, in the way of its examples: one io_context, a session object that its callbacks keep alive.
#include <asio.hpp>
#include <cstdlib>
#include <memory>
#include <system_error>

using asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
public:
  explicit Session(tcp::socket socket) : socket_(std::move(socket)) {}

  void read() {
    auto self = shared_from_this();
    socket_.async_read_some(asio::buffer(bytes_), [self](std::error_code error, std::size_t length) {
      if (!error) self->write(length);
    });
  }

private:
  void write(std::size_t length) {
    auto self = shared_from_this();
    asio::async_write(socket_, asio::buffer(bytes_, length), [self](std::error_code error, std::size_t) {
      if (!error) self->read();
    });
  }

  tcp::socket socket_;
  char bytes_[65536];
};

static void accept(tcp::acceptor &acceptor) {
  acceptor.async_accept([&acceptor](std::error_code error, tcp::socket socket) {
    if (!error) {
      std::error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<Session>(std::move(socket))->read();
    }
    accept(acceptor);
  });
}

int main(int count, char **arguments) {
  auto port = static_cast<unsigned short>(std::atoi(arguments[count - 1]));
  asio::io_context context(1); // a hint that one thread runs it, which spares locks
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
  accept(acceptor);
  context.run();
}
