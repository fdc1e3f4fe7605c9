// The keeper of a descriptor, by its name on this floor.

extension IODescriptor {
  /// Put a descriptor into the care of a loop.
  convenience init(_ fileDescriptor: Int32, loop: BaseEventLoop) { self.init(fileDescriptor, keeper: loop) }

  /// The loop that has it in care. Right because the initializer above is the one that is used: loops are the only
  /// keepers there are.
  var loop: BaseEventLoop { unsafeDowncast(keeper, to: BaseEventLoop.self) }
}

extension BaseEventLoop: DescriptorKeeper {}
