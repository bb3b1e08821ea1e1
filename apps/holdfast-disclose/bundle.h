// What a requester is given: a tar stream in sealed parts, and a signed manifest behind it, all
// under a key that is sealed to the requester. docs/formats/disclosure.md#the-bundle
//
// Whoever carries it can lose it, and nothing else. It can be cut short and gone on with: what is
// there of the same case is kept.
#pragma once

#include <optional>
#include <string>

#include "base/file.h"
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "own_key.h"

namespace holdfast::disclose {

struct BundlePurpose {};
using BundleKey = crypto::Key<BundlePurpose>;

inline constexpr std::string_view kManifestLabel = "holdfast/v1/disclosure-manifest/sig";

constexpr std::size_t kPart = 1024 * 1024;  // of the tar stream, which is a multiple of it
constexpr std::size_t kMaxEnd = 512U * 1024 * 1024;

struct BundleHeader {
  wire::Fixed<"holdfast/v1/disclosure-bundle"> label;
  Digest order;
  Digest case_file;
  Bytes key;  // sealed to the requester
  static constexpr auto kFields = wire::fields(&BundleHeader::label, &BundleHeader::order,
                                               &BundleHeader::case_file, &BundleHeader::key);
};

struct BundleEnd {
  wire::Fixed<"holdfast/v1/disclosure-end"> label;
  Bytes order;                    // encoded lawful::SignedOrder
  Bytes manifest;                 // JSON
  crypto::Signature signature{};  // of the manifest, by the machine that the order names
  Digest tar;
  static constexpr auto kFields =
      wire::fields(&BundleEnd::label, &BundleEnd::order, &BundleEnd::manifest,
                   &BundleEnd::signature, &BundleEnd::tar);
};

// Of which case a bundle is.
struct BundleOf {
  Digest order;
  Digest case_file;
  lawful::DisclosureKey requester;
};

class BundleWriter {
 public:
  // Goes on with `path`.partial, where that is of the same case. kConflict: `path` is there.
  static Result<BundleWriter> open(const std::string& path, const BundleOf& of, const OwnKey& own);

  // Of the stream. kUnsafe: another was begun here.
  Result<void> write(BytesView bytes);
  // Where the next `size` bytes are there from before: takes them, also into `hash`. False: they
  // are to be written.
  Result<bool> reuse(std::uint64_t size, crypto::Sha256& hash);
  std::uint64_t size() const { return at_; }
  std::uint64_t kept() const { return kept_ * kPart; }  // from before
  // Of the stream, once. All of it is written: a multiple of kPart.
  Digest finish_stream() { return stream_.finish(); }
  // Durable, under its name.
  Result<void> finish(const BundleEnd& end);

 private:
  BundleWriter(std::string path, Fd file, BundleKey key, Bytes header)
      : path_(std::move(path)),
        file_(std::move(file)),
        key_(std::move(key)),
        header_(std::move(header)) {}
  Result<void> count_kept();
  Result<BytesView> kept_part(std::uint64_t number);
  Result<void> add_part();

  std::string path_;
  Fd file_;
  BundleKey key_;
  Bytes header_;
  std::uint64_t at_ = 0;
  std::uint64_t kept_ = 0;  // parts
  std::optional<std::pair<std::uint64_t, Bytes>> open_part_;
  Bytes part_;  // the one that is being filled
  crypto::Sha256 stream_;
};

// Writes the tar stream to `tar` (never replaced) and gives the rest, verified: the order names
// this key as the requester's, the machine that it names signed the manifest, and the stream is
// what the manifest's end says. Whose the operators' keys are is for the requester to find out.
// kDenied: it is sealed to another key. kCorrupt: it was changed or cut.
struct Unsealed {
  BundleEnd end;
  lawful::DisclosureOrder order;
  std::vector<crypto::VerifyKey> signed_by;
};
Result<Unsealed> unseal(const std::string& bundle, const OwnKey& own, const std::string& tar);

}  // namespace holdfast::disclose
