#include "custody/token.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/file.h"
#include "base/mutex.h"
// Last: it defines short names as macros.
#include <p11-kit/pkcs11.h>

namespace holdfast::custody {
namespace {

constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagBits = 128;
constexpr std::size_t kMaxPinFile = 1024;
constexpr std::size_t kMaxSlots = 256;

using ObjectId = std::array<std::uint8_t, CircleId::kSize + 8>;

ObjectId id_of(const KeyObject& name) {
  ObjectId id{};
  std::ranges::copy(name.circle.bytes, id.begin());
  for (std::size_t i = 0; i < 8; ++i)
    id[CircleId::kSize + i] = static_cast<std::uint8_t>(name.number >> (56 - 8 * i));
  return id;
}

// PKCS#11 takes pointers to what it only reads without const.
template <class T>
void* loose(const T* at) {
  return const_cast<void*>(static_cast<const void*>(at));
}
unsigned char* loose(BytesView bytes) { return const_cast<unsigned char*>(bytes.data()); }

template <class T>
CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, const T& value) {
  return {type, loose(&value), sizeof value};
}

std::string hex_of(CK_RV code) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%lx", code);
  return text.data();
}

Error failed(const char* what, CK_RV code) {
  switch (code) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
      return {Code::kDenied,
              "the token does not take the PIN: correct the PIN file and start again"};
    case CKR_PIN_LOCKED:
      return {Code::kDenied,
              "the token is locked after wrong PINs: its security officer must set a new one"};
    case CKR_DEVICE_MEMORY:
      return {Code::kUnavailable, "the token is full: it has no room for another account's key"};
    case CKR_TOKEN_WRITE_PROTECTED: return {Code::kUnavailable, "the token cannot be written to"};
    default:
      return {Code::kUnavailable,
              "the token failed to " + std::string(what) + " (PKCS#11 says " + hex_of(code) + ")"};
  }
}

bool is_wrong_pin(CK_RV code) {
  return code == CKR_PIN_INCORRECT || code == CKR_PIN_INVALID || code == CKR_PIN_LEN_RANGE ||
         code == CKR_PIN_LOCKED;
}

// What a token says that was pulled out, reset or closed behind our back. It may be there again.
bool is_lost(CK_RV code) {
  return code == CKR_SESSION_HANDLE_INVALID || code == CKR_SESSION_CLOSED ||
         code == CKR_DEVICE_REMOVED || code == CKR_DEVICE_ERROR || code == CKR_TOKEN_NOT_PRESENT ||
         code == CKR_TOKEN_NOT_RECOGNIZED || code == CKR_USER_NOT_LOGGED_IN ||
         code == CKR_SLOT_ID_INVALID || code == CKR_CRYPTOKI_NOT_INITIALIZED;
}

Error missing() { return {Code::kNotFound, "the token has no key object for this account"}; }

Result<CK_FUNCTION_LIST*> load_module(const std::string& path) {
  const auto refused = [&](const std::string& why) {
    return Error{Code::kInvalid, "cannot load the PKCS#11 module " + path + ": " + why};
  };
  // Never unloaded: modules leave threads and exit handlers behind.
  void* const module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (module == nullptr) {
    const char* const why = ::dlerror();
    return refused(why != nullptr ? why : "no reason was given");
  }
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(module, "C_GetFunctionList"));
  CK_FUNCTION_LIST* calls = nullptr;
  if (get == nullptr || get(&calls) != CKR_OK || calls == nullptr)
    return refused("it has no list of PKCS#11 functions");
  return calls;
}

Result<crypto::WipedBytes> read_pin(const std::string& path) {
  Bytes bytes = TRY(read_file(path, kMaxPinFile));
  const auto end =
      std::ranges::find_if(bytes, [](std::uint8_t c) { return c == '\n' || c == '\r'; });
  std::fill(end, bytes.end(), std::uint8_t{0});
  bytes.erase(end, bytes.end());
  if (bytes.empty()) return Error{Code::kNotFound, path + " has no PIN in its first line"};
  return crypto::WipedBytes(std::move(bytes));
}

// Labels are padded with spaces.
std::string label_of(const CK_TOKEN_INFO& info) {
  std::string label(reinterpret_cast<const char*>(info.label), sizeof info.label);
  label.erase(label.find_last_not_of(' ') + 1);
  return label;
}

}  // namespace

struct Token::State {
  TokenPlace place;
  Mutex mutex;
  CK_FUNCTION_LIST* p11 HF_GUARDED_BY(mutex) = nullptr;
  bool begun HF_GUARDED_BY(mutex) = false;  // the module is initialised, by us
  bool wrong_pin HF_GUARDED_BY(mutex) = false;
  CK_SESSION_HANDLE session HF_GUARDED_BY(mutex) = CK_INVALID_HANDLE;

  // A module that is not ended may fall over what the process frees at exit.
  ~State() {
    const Lock lock(mutex);
    end();
  }

  void end() HF_REQUIRES(mutex) {
    if (begun) static_cast<void>(p11->C_Finalize(nullptr));
    begun = false;
    session = CK_INVALID_HANDLE;
  }

  Result<void> begin() HF_REQUIRES(mutex) {
    if (wrong_pin) return failed("log in", CKR_PIN_INCORRECT);
    CK_C_INITIALIZE_ARGS args{};
    args.flags = CKF_OS_LOCKING_OK;
    CK_RV code = p11->C_Initialize(&args);
    if (code == CKR_CRYPTOKI_ALREADY_INITIALIZED)
      return Error{Code::kUnavailable, "this process uses the PKCS#11 module already"};
    if (code != CKR_OK) return failed("start", code);
    begun = true;
    const CK_SLOT_ID slot = TRY(find_slot());
    code =
        p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session);
    if (code != CKR_OK) return failed("open a session", code);
    const crypto::WipedBytes pin = TRY(read_pin(place.pin_file));
    code = p11->C_Login(session, CKU_USER, loose(pin.view()), pin.view().size());
    wrong_pin = is_wrong_pin(code);
    if (code != CKR_OK && code != CKR_USER_ALREADY_LOGGED_IN) return failed("log in", code);
    return Ok{};
  }

  Result<CK_SLOT_ID> find_slot() HF_REQUIRES(mutex) {
    std::vector<CK_SLOT_ID> slots(kMaxSlots);
    CK_ULONG count = slots.size();
    const CK_RV code = p11->C_GetSlotList(CK_TRUE, slots.data(), &count);
    if (code != CKR_OK) return failed("list its slots", code);
    slots.resize(std::min<std::size_t>(count, kMaxSlots));
    std::optional<CK_SLOT_ID> found;
    for (const CK_SLOT_ID slot : slots) {
      CK_TOKEN_INFO info{};
      if (p11->C_GetTokenInfo(slot, &info) != CKR_OK || label_of(info) != place.label) continue;
      if (found)
        return Error{Code::kInvalid, "there are two tokens with the label \"" + place.label + "\""};
      found = slot;
    }
    if (!found)
      return Error{Code::kNotFound, "the PKCS#11 module has no token with the label \"" +
                                        place.label + "\": is it plugged in and set up?"};
    return *found;
  }

  // A call of the token: `run`, which is given *this, gives PKCS#11's code. After a lost session it
  // is run once more. (The analysis does not see that what `run` requires is held.)
  template <class Run>
  Result<CK_RV> call(const Run& run) HF_REQUIRES(mutex) HF_TSA(no_thread_safety_analysis) {
    if (!begun || session == CK_INVALID_HANDLE) TRY(reopen());
    CK_RV code = run(*this);
    if (!is_lost(code)) return code;
    TRY(reopen());
    code = run(*this);
    return code;
  }

  Result<void> reopen() HF_REQUIRES(mutex) {
    end();
    auto opened = begin();
    if (!opened.ok()) end();
    return opened;
  }

  // CKR_OK with CK_INVALID_HANDLE: there is none.
  CK_RV find(const ObjectId& id, CK_OBJECT_HANDLE& object) HF_REQUIRES(mutex) {
    const CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
    std::array<CK_ATTRIBUTE, 2> wanted = {attribute(CKA_CLASS, secret),
                                          CK_ATTRIBUTE{CKA_ID, loose(id.data()), id.size()}};
    object = CK_INVALID_HANDLE;
    CK_RV code = p11->C_FindObjectsInit(session, wanted.data(), wanted.size());
    if (code != CKR_OK) return code;
    std::array<CK_OBJECT_HANDLE, 2> found{};
    CK_ULONG count = 0;
    code = p11->C_FindObjects(session, found.data(), found.size(), &count);
    const CK_RV ended = p11->C_FindObjectsFinal(session);
    if (code != CKR_OK) return code;
    if (count > 1) return CKR_TEMPLATE_INCONSISTENT;  // which of them it is would be a choice
    if (count == 1) object = found[0];
    return ended;
  }

  CK_RV generate(const ObjectId& id, CK_OBJECT_HANDLE& object) HF_REQUIRES(mutex) {
    const CK_BBOOL yes = CK_TRUE;
    const CK_BBOOL no = CK_FALSE;
    const CK_ULONG size = 32;
    constexpr std::string_view kLabel = "holdfast account";
    std::array<CK_ATTRIBUTE, 11> made = {
        attribute(CKA_TOKEN, yes),
        attribute(CKA_PRIVATE, yes),
        attribute(CKA_SENSITIVE, yes),
        attribute(CKA_EXTRACTABLE, no),
        attribute(CKA_ENCRYPT, yes),
        attribute(CKA_DECRYPT, yes),
        attribute(CKA_WRAP, no),
        attribute(CKA_UNWRAP, no),
        attribute(CKA_VALUE_LEN, size),
        CK_ATTRIBUTE{CKA_ID, loose(id.data()), id.size()},
        CK_ATTRIBUTE{CKA_LABEL, loose(kLabel.data()), kLabel.size()}};
    CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
    return p11->C_GenerateKey(session, &mechanism, made.data(), made.size(), &object);
  }

  // That the token did as it was told: some ignore what a template says.
  CK_RV check_kept_in(CK_OBJECT_HANDLE object) HF_REQUIRES(mutex) {
    CK_BBOOL sensitive = CK_FALSE;
    CK_BBOOL extractable = CK_TRUE;
    CK_BBOOL stays = CK_FALSE;
    std::array<CK_ATTRIBUTE, 3> said = {attribute(CKA_ALWAYS_SENSITIVE, sensitive),
                                        attribute(CKA_EXTRACTABLE, extractable),
                                        attribute(CKA_TOKEN, stays)};
    const CK_RV code = p11->C_GetAttributeValue(session, object, said.data(), said.size());
    if (code != CKR_OK) return code;
    return sensitive == CK_TRUE && extractable == CK_FALSE && stays == CK_TRUE
               ? CKR_OK
               : CKR_TEMPLATE_INCONSISTENT;
  }

  enum class Way { kSeal, kOpen };
  // `out` has room for all that comes. Some modules crash without additional data; we always have.
  CK_RV crypt(Way way, const ObjectId& id, BytesView nonce, BytesView context, BytesView in,
              Bytes& out) HF_REQUIRES(mutex) {
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    CK_RV code = find(id, object);
    if (code != CKR_OK) return code;
    if (object == CK_INVALID_HANDLE) return CKR_KEY_HANDLE_INVALID;
    CK_GCM_PARAMS gcm{loose(nonce),   nonce.size(),   nonce.size() * 8,
                      loose(context), context.size(), kTagBits};
    CK_MECHANISM mechanism{CKM_AES_GCM, &gcm, sizeof gcm};
    const bool seals = way == Way::kSeal;
    code = seals ? p11->C_EncryptInit(session, &mechanism, object)
                 : p11->C_DecryptInit(session, &mechanism, object);
    if (code != CKR_OK) return code;
    CK_ULONG size = out.size();
    code = seals ? p11->C_Encrypt(session, loose(in), in.size(), out.data(), &size)
                 : p11->C_Decrypt(session, loose(in), in.size(), out.data(), &size);
    if (code == CKR_OK && size > out.size()) return CKR_GENERAL_ERROR;
    if (code == CKR_OK) out.resize(size);
    return code;
  }
};

Result<std::unique_ptr<Token>> Token::open(TokenPlace place) {
  auto state = std::make_unique<State>();
  {
    const Lock lock(state->mutex);
    state->p11 = TRY(load_module(place.module));
    state->place = std::move(place);
    TRY(state->begin());
  }
  return std::unique_ptr<Token>(new Token(std::move(state)));
}

Token::Token(std::unique_ptr<State> state) : state_(std::move(state)) {}
Token::~Token() = default;

Result<bool> Token::has(const KeyObject& name) {
  State& s = *state_;
  const Lock lock(s.mutex);
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  const ObjectId id = id_of(name);
  const CK_RV code = TRY(s.call([&](State& t) HF_REQUIRES(t.mutex) { return t.find(id, object); }));
  if (code != CKR_OK) return failed("look for a key", code);
  return object != CK_INVALID_HANDLE;
}

Result<void> Token::make(const KeyObject& name) {
  const bool there = TRY(has(name));
  if (there) return Error{Code::kConflict, "the token has a key object for this account"};
  State& s = *state_;
  const Lock lock(s.mutex);
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  const ObjectId id = id_of(name);
  // Run once more after a lost session, the first one may have made it: there are never two.
  CK_RV code = TRY(s.call([&](State& t) HF_REQUIRES(t.mutex) -> CK_RV {
    const CK_RV found = t.find(id, object);
    if (found != CKR_OK) return found;
    if (object != CK_INVALID_HANDLE) {
      const CK_RV gone = t.p11->C_DestroyObject(t.session, object);
      if (gone != CKR_OK) return gone;
    }
    return t.generate(id, object);
  }));
  if (code != CKR_OK) return failed("make a key", code);
  code = s.check_kept_in(object);
  if (code == CKR_OK) return Ok{};
  static_cast<void>(s.p11->C_DestroyObject(s.session, object));
  return Error{Code::kUnavailable,
               "the token does not keep keys to itself: it made one that can be read out"};
}

Result<Bytes> Token::seal(const KeyObject& name, BytesView context,
                          const crypto::Key<crypto::WrapPurpose>& seed) {
  HF_CHECK(!context.empty());
  State& s = *state_;
  const Lock lock(s.mutex);
  const ObjectId id = id_of(name);
  Bytes sealed(kNonceSize);
  crypto::random_fill(sealed);
  Bytes out;
  const CK_RV code = TRY(s.call([&](State& t) HF_REQUIRES(t.mutex) {
    out.assign(kSealedSeed - kNonceSize, 0);
    return t.crypt(State::Way::kSeal, id, sealed, context, crypto::expose(seed), out);
  }));
  if (code == CKR_KEY_HANDLE_INVALID || code == CKR_OBJECT_HANDLE_INVALID) return missing();
  if (code != CKR_OK) return failed("seal", code);
  append(sealed, out);
  if (sealed.size() != kSealedSeed)
    return Error{Code::kUnavailable, "the token sealed another number of bytes than it was given"};
  return sealed;
}

Result<crypto::Key<crypto::WrapPurpose>> Token::open(const KeyObject& name, BytesView context,
                                                     BytesView sealed) {
  using Seed = crypto::Key<crypto::WrapPurpose>;
  const Error damaged{Code::kCorrupt,
                      "a custodial key is damaged, or was sealed by another object of the token"};
  if (sealed.size() != kSealedSeed) return damaged;
  State& s = *state_;
  const Lock lock(s.mutex);
  const ObjectId id = id_of(name);
  Bytes out;
  const CK_RV code = TRY(s.call([&](State& t) HF_REQUIRES(t.mutex) {
    out.assign(kSealedSeed, 0);  // a module may use more room than it fills
    return t.crypt(State::Way::kOpen, id, sealed.first(kNonceSize), context,
                   sealed.subspan(kNonceSize), out);
  }));
  const crypto::WipedBytes plain(std::move(out));
  if (code == CKR_KEY_HANDLE_INVALID || code == CKR_OBJECT_HANDLE_INVALID) return missing();
  // A tag that does not fit is told in several ways.
  if (code == CKR_ENCRYPTED_DATA_INVALID || code == CKR_ENCRYPTED_DATA_LEN_RANGE ||
      code == CKR_GENERAL_ERROR || code == CKR_FUNCTION_FAILED)
    return damaged;
  if (code != CKR_OK) return failed("open", code);
  if (plain.view().size() != Seed::kSize) return damaged;
  return Seed::from_bytes(plain.view());
}

Result<void> Token::destroy(const KeyObject& name) {
  State& s = *state_;
  const Lock lock(s.mutex);
  const ObjectId id = id_of(name);
  const CK_RV code = TRY(s.call([&](State& t) HF_REQUIRES(t.mutex) -> CK_RV {
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    const CK_RV found = t.find(id, object);
    if (found != CKR_OK || object == CK_INVALID_HANDLE) return found;
    const CK_RV gone = t.p11->C_DestroyObject(t.session, object);
    if (gone != CKR_OK) return gone;
    // Asked for again: that it is gone is what a receipt will say.
    const CK_RV again = t.find(id, object);
    if (again != CKR_OK) return again;
    return object == CK_INVALID_HANDLE ? CKR_OK : CKR_ACTION_PROHIBITED;
  }));
  if (code != CKR_OK) return failed("destroy a key", code);
  return Ok{};
}

}  // namespace holdfast::custody
