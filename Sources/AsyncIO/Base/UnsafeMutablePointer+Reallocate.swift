extension UnsafeMutablePointer {
  /// Moves the first elements, all that are initialized, to memory with room for `capacity`, and gives the old one back.
  mutating func reallocate(count: Int, capacity: Int) {
    let other = Self.allocate(capacity: capacity)
    other.moveInitialize(from: self, count: count)
    deallocate()
    self = other
  }
}
