#include "crypto/key.h"

#include <cerrno>
#include <vector>

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "base/mutex.h"
#include "crypto/hkdf.h"

namespace holdfast::crypto {

namespace {

// Blocks of slots, mapped as they are needed and never given back: an address that once held a
// key belongs to nobody else while the process lives.
class Arena {
 public:
  std::uint8_t* take() {
    Lock lock(mutex_);
    if (free_.empty()) grow();
    std::uint8_t* const slot = free_.back();
    free_.pop_back();
    return slot;
  }

  void give_back(std::uint8_t* slot) {
    wipe({slot, detail::Slot::kSize});
    Lock lock(mutex_);
    free_.push_back(slot);  // grow() reserved room for every slot: never allocates
  }

  bool all_locked() {
    Lock lock(mutex_);
    return all_locked_;
  }

 private:
  static constexpr std::size_t kBlockSize = 64 * 1024;
  static constexpr std::size_t kSlots = kBlockSize / detail::Slot::kSize;

  void grow() HF_REQUIRES(mutex_) {
    void* const block =
        mmap(nullptr, kBlockSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    HF_CHECK(block != MAP_FAILED);
    // Without the right to lock memory keys still work; arena_protected() tells.
    if (mlock(block, kBlockSize) != 0) all_locked_ = false;
    // Not MADV_WIPEONFORK: a child that went on with zeroed keys would seal under a known key.
    if (madvise(block, kBlockSize, MADV_DONTDUMP) != 0) all_locked_ = false;
    slots_ += kSlots;
    free_.reserve(slots_);
    auto* const first = static_cast<std::uint8_t*>(block);
    for (std::size_t i = kSlots; i > 0; --i) free_.push_back(first + (i - 1) * detail::Slot::kSize);
  }

  Mutex mutex_;
  std::vector<std::uint8_t*> free_ HF_GUARDED_BY(mutex_);
  std::size_t slots_ HF_GUARDED_BY(mutex_) = 0;
  bool all_locked_ HF_GUARDED_BY(mutex_) = true;
};

// Never destroyed: keys in static objects may outlive any order of destruction.
Arena& arena() {
  static Arena& only = *new Arena;
  return only;
}

}  // namespace

bool arena_protected() { return arena().all_locked(); }

void protect_process() {
#if !defined(__SANITIZE_ADDRESS__)  // its leak checker attaches to the process as a debugger does
  HF_CHECK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
#endif
  const rlimit none{0, 0};
  HF_CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
}

namespace detail {

Slot::Slot() : at_(arena().take()) {}

Slot::~Slot() {
  if (at_ != nullptr) arena().give_back(at_);
}

Slot& Slot::operator=(Slot&& other) noexcept {
  if (this != &other) {
    if (at_ != nullptr) arena().give_back(at_);
    at_ = other.at_;
    other.at_ = nullptr;
  }
  return *this;
}

}  // namespace detail

void wipe(std::span<std::uint8_t> bytes) {
  if (!bytes.empty()) OPENSSL_cleanse(bytes.data(), bytes.size());
}

void random_fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    HF_CHECK(got > 0);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

void hkdf(BytesView secret, BytesView info, std::span<std::uint8_t> out) {
  Secret<32> prk;
  hkdf_extract_sha256({}, {secret}, prk.span());
  hkdf_expand(HkdfHash::kSha256, prk.view(), {info}, out);
}

}  // namespace holdfast::crypto
