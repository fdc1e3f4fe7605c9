import InMemoryTracing
import Tracing

/// The spans as lines, each below the span that it is a part of.
func outline(of spans: [FinishedInMemorySpan], below parent: String? = nil, depth: Int = 0) -> [String] {
  let known = Set(spans.map(\.spanID))
  let children = spans.filter { span in
    parent == nil ? span.parentSpanID.map { !known.contains($0) } ?? true : span.parentSpanID == parent
  }
  return children.flatMap { span in
    let indent = String(repeating: "  ", count: depth)
    var attributes: [String] = []
    // Ports differ from run to run.
    span.attributes.forEach { name, value in
      if !name.hasSuffix(".port") { attributes.append("\(name)=\(text(of: value))") }
    }
    return ["\(indent)\(span.operationName): \(attributes.sorted().joined(separator: " "))"]
      + span.events.map { "\(indent)  event: \($0.name)" }
      + outline(of: spans, below: span.spanID, depth: depth + 1)
  }
}

private func text(of value: SpanAttribute) -> String {
  switch value {
  case .string(let text): text
  case .int64(let number): "\(number)"
  default: "\(value)"
  }
}
