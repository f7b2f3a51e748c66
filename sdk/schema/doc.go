// Package schema checks JSON documents the way the flownode.v1 contract wants
// it: JSON Schema 2020-12, every violation at once, each with a JSON Pointer.
//
// It guarantees that
//
//   - a compiled [Schema] is immutable and safe for concurrent use; compiling
//     never reads a file or the network, so a schema has to stand on its own;
//   - no message repeats a value of the document, so that a secret or a phone
//     number cannot reach a log by way of an error;
//   - of oneOf and anyOf only the branch that was meant is reported: a value whose
//     "type" picks a branch gets that branch's violations and no other's;
//   - a member that is missing is pointed at where it should be; its parent
//     always exists in the document.
//
// Formats are annotations, as the specification has it by default, unless
// [AssertFormats] is given. One keyword is this project's own: "x-uniqueBy" beside
// an array among the schema's properties is a list of JSON Pointers whose texts must
// differ between the elements.
package schema
