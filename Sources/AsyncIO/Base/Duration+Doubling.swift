extension Duration {
  /// Multiply a duration, and stop at the longest or the most negative one there is.
  ///
  /// The standard library's operator ends the process instead: a back-off of one second that is doubled without a cap
  /// gets there after 68 rounds, long after anybody looks. Timers and limits take any duration, and what is too far
  /// away never comes; so the number that gets them there has to go along.
  public static func *= (duration: inout Duration, factor: Int) {
    let (product, overflow) = duration.attoseconds.multipliedReportingOverflow(by: Int128(factor))
    duration = Duration(attoseconds: overflow ? (duration < .zero) == (factor < 0) ? .max : .min : product)
  }
}
