// The ways in which a store writes.
#pragma once

#include "store/files.h"

namespace holdfast::store {

// Creates `path`, whose name says nothing of its content, as a compare-and-swap: success when it
// holds exactly `bytes` durably, whoever wrote them; kConflict when it holds others. Reads back
// what it wrote: kUnavailable when the file system does not give it back.
Result<void> commit(Files& files, const std::string& path, BytesView bytes);

// Puts `bytes` under a name that is their hash. What lies there and differs is damaged, and healed.
Result<void> put_named_by_hash(Files& files, const std::string& path, BytesView bytes);

struct Blob {
  std::string path;  // named by its hash
  BytesView bytes;
};
// Puts the blobs and then commits `path`, in one write where the place can.
Result<void> commit_with_blobs(Files& files, const std::vector<Blob>& blobs,
                               const std::string& path, BytesView bytes);

}  // namespace holdfast::store
