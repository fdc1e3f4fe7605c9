#if os(Windows)
  extension EventLoopKinds {
    /// The kind that the default policy makes on this platform: asyncio's since Python 3.8.
    package static let platformKind = "proactor"
  }
#endif
