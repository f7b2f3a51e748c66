// Package schema checks JSON documents as the flownode.v1 contract requires: JSON Schema 2020-12,
// all violations at once, each with a JSON Pointer.
//
// It guarantees that
//
//   - a compiled [Schema] is immutable and safe for concurrent use; compiling never reads a file or
//     the network, so a schema must be self-contained;
//   - no message repeats a value of the document, so that no secret or phone number can reach a log
//     through an error;
//   - for oneOf and anyOf only the branch that was meant is reported: a value whose "type" picks a
//     branch gets that branch's violations and no others;
//   - the pointer for a missing member is where it should be; its parent always exists in the
//     document.
//
// Formats are annotations, which is the specification's default, unless [AssertFormats] is given.
// One keyword is this project's own: "x-uniqueBy" next to an array among the schema's properties is
// a list of JSON Pointers whose texts must differ between the elements.
package schema
