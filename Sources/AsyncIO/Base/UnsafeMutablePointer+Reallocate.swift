extension UnsafeMutablePointer {
  /// Move the first elements, all that are initialized, to memory with room for `capacity`, and free the old memory.
  mutating func reallocate(count: Int, capacity: Int) {
    let other = Self.allocate(capacity: capacity)
    other.moveInitialize(from: self, count: count)
    deallocate()
    self = other
  }
}
