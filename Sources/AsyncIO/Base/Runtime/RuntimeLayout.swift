internal import CAsyncIO

// What this package takes for granted about the insides of the Swift runtime, as numbers. The self-tests take them as
// an argument, so that the tests of the self-tests can give them wrong ones.

/// Where things are in the runtime's objects, in words of the machine unless it says otherwise.
struct RuntimeLayout {
  /// The alignment of jobs, in bytes. `ABI/Task.h`: `class alignas(2 * alignof(void *)) Job`, with an assertion.
  var jobAlignment = 16
  /// The distance from a task to its job. `ABI/Task.h`: `class AsyncTask : public Job`.
  var jobWord = 0
  /// The word of a task that has its context. `ABI/Task.h`: `AsyncTask::ResumeContext`, after the eight words of `Job`,
  /// of which the last is the function to go on with.
  var frameWord = Int(casyncio_frame_word)
  /// The word of an object that counts its references. `ABI/HeapObject.h`: `HeapObject::refCounts`.
  var countsWord = Int(casyncio_counts_word)
  /// The word of a closure that refers to what it captured. `ABI.rst` of the Swift repository: a function is the
  /// address of its code and that of its context.
  var capturesWord = 1
  /// The distance between the argument of a record of cancellation and what the record's function is given: nothing, if
  /// the context of a closure comes where clang's `swift_context` says. `Concurrency/TaskStatus.cpp`.
  var argumentDistance = 0
  /// The size of a continuation, in bytes. The interface of the concurrency library: a frozen struct around the task.
  var continuationSize = 8

  init() {}
}
