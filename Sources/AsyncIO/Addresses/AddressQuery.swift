/// What to look up.
package struct AddressQuery: Hashable, Sendable {
  /// A name or a literal; nil and "" mean this machine: every interface with the flag `passive`, else the loopback.
  package var host: String?
  /// A number, or the name of a service; nil is port 0.
  package var service: String?
  package var family = AddressFamily.unspecified
  package var type = SocketType.unspecified
  package var proto: Int32 = 0
  package var flags: AddressInfoFlags = []

  package init(host: String?, service: String?) {
    self.host = host?.isEmpty == true ? nil : host
    self.service = service?.isEmpty == true ? nil : service
  }

  package init(host: String?, port: UInt16?) { self.init(host: host, service: port.map { "\($0)" }) }

  /// Host and service, for messages.
  var subject: String { "\(host ?? "")" + (service.map { ":\($0)" } ?? "") }
}
