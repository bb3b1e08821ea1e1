#include "net/tls.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "crypto/hash.h"

namespace holdfast::net {
namespace {

constexpr std::uint64_t kMaxPem = 1024 * 1024;
constexpr std::size_t kReadAhead = 64 * 1024;  // gone again while a connection is idle
constexpr long kHundredYears = 100L * 365 * 24 * 60 * 60;

Error no_memory() {
  return {Code::kUnavailable, "OpenSSL cannot make a TLS key or certificate; is memory full?"};
}

// OpenSSL would ask for a password on the terminal.
int no_password(char*, int, int, void*) { return -1; }

struct WipedBytes {
  Bytes bytes;
  explicit WipedBytes(Bytes b) : bytes(std::move(b)) {}
  WipedBytes(const WipedBytes&) = delete;
  WipedBytes& operator=(const WipedBytes&) = delete;
  ~WipedBytes() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

BioPtr memory_of(const Bytes& bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

Result<TlsKeyPtr> read_key(const std::string& file) {
  const WipedBytes pem(TRY(read_file(file, kMaxPem)));
  const BioPtr bio = memory_of(pem.bytes);
  TlsKeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr);
  ERR_clear_error();
  if (!key) return Error{Code::kInvalid, file + " holds no private key in PEM without a password"};
  return key;
}

Result<void> use_chain(SSL_CTX* context, const std::string& file) {
  const Bytes pem = TRY(read_file(file, kMaxPem));
  const BioPtr bio = memory_of(pem);
  bool leaf = true;
  while (bio) {
    const CertificatePtr one(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
    if (!one) break;
    const auto used = leaf ? SSL_CTX_use_certificate(context, one.get())
                           : SSL_CTX_add1_chain_cert(context, one.get());
    if (used != 1) return Error{Code::kInvalid, file + " holds a certificate that TLS cannot use"};
    leaf = false;
  }
  ERR_clear_error();
  if (leaf) return Error{Code::kInvalid, file + " holds no certificate in PEM"};
  return Ok{};
}

Result<Bytes> contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  if (size <= 0) return no_memory();
  return to_bytes(as_bytes({data, static_cast<std::size_t>(size)}));
}

Result<void> make_key_file(const std::string& file) {
  const TlsKeyPtr key(EVP_EC_gen("P-256"));
  const BioPtr bio(BIO_new(BIO_s_secmem()));  // wiped when it is freed
  if (!key || !bio ||
      PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return no_memory();
  const WipedBytes pem(TRY(contents(bio.get())));
  return create_file(file, pem.bytes, 0600);
}

CertificatePtr self_signed(EVP_PKEY* key) {
  CertificatePtr made(X509_new());
  if (!made) return nullptr;
  X509* const c = made.get();
  X509_NAME* const name = X509_get_subject_name(c);
  const auto* const common = reinterpret_cast<const unsigned char*>("holdfast");
  const bool good = X509_set_version(c, X509_VERSION_3) == 1 &&
                    ASN1_INTEGER_set(X509_get_serialNumber(c), 1) == 1 &&
                    // A device's clock may be behind ours.
                    X509_gmtime_adj(X509_getm_notBefore(c), -24L * 60 * 60) != nullptr &&
                    X509_gmtime_adj(X509_getm_notAfter(c), kHundredYears) != nullptr &&
                    X509_set_pubkey(c, key) == 1 &&
                    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0) == 1 &&
                    X509_set_issuer_name(c, name) == 1 && X509_sign(c, key, EVP_sha256()) > 0;
  return good ? std::move(made) : nullptr;
}

Result<void> make_certificate_file(const std::string& file, EVP_PKEY* key) {
  const CertificatePtr certificate = self_signed(key);
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!certificate || !bio || PEM_write_bio_X509(bio.get(), certificate.get()) != 1)
    return no_memory();
  const Bytes pem = TRY(contents(bio.get()));
  return create_file(file, pem, 0644);
}

}  // namespace

Bytes pin_of(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return {};
  const Digest pin = crypto::sha256(BytesView{der, static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return to_bytes(pin.view());
}

SslContextPtr make_context(const SSL_METHOD* method) {
  SslContextPtr context(SSL_CTX_new(method));
  if (!context) return nullptr;
  SSL_CTX* const c = context.get();
  if (SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) != 1 || SSL_CTX_set_num_tickets(c, 0) != 1)
    return nullptr;
  SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  // One read of the socket for several records, instead of two for each. What is read ahead must be
  // asked for before the socket is waited for: we always read until OpenSSL wants more.
  SSL_CTX_set_read_ahead(c, 1);
  SSL_CTX_set_default_read_buffer_len(c, kReadAhead);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

bool show_identity(SSL_CTX* client, SSL_CTX* server) {
  return SSL_CTX_use_certificate(client, SSL_CTX_get0_certificate(server)) == 1 &&
         SSL_CTX_use_PrivateKey(client, SSL_CTX_get0_privatekey(server)) == 1;
}

Result<ServerTls> ServerTls::load(const std::string& certificate_file,
                                  const std::string& key_file) {
  const TlsKeyPtr key = TRY(read_key(key_file));
  auto state = std::make_unique<State>();
  state->context = make_context(TLS_server_method());
  if (!state->context) return no_memory();
  SSL_CTX* const context = state->context.get();
  TRY(use_chain(context, certificate_file));
  const bool fits =
      SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1;
  ERR_clear_error();
  if (!fits)
    return Error{Code::kInvalid, "the certificate in " + certificate_file +
                                     " is not for the private key in " + key_file};
  state->pin = pin_of(SSL_CTX_get0_certificate(context));
  if (state->pin.empty()) return no_memory();
  return ServerTls(std::move(state));
}

Result<ServerTls> ServerTls::load_or_make(const std::string& folder) {
  const std::string certificate = folder + "/tls.crt";
  const std::string key = folder + "/tls.key";
  if (!exists(key)) {
    // Another key would be another service to every device.
    if (exists(certificate))
      return Error{Code::kNotFound, key + " is gone, but devices pin it: restore it, or remove " +
                                        certificate + " too if no device is to come back"};
    TRY(make_dirs(folder));
    TRY(make_key_file(key));
  }
  if (!exists(certificate)) {
    const TlsKeyPtr owner = TRY(read_key(key));
    TRY(make_certificate_file(certificate, owner.get()));
  }
  return load(certificate, key);
}

ServerTls::ServerTls(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerTls::ServerTls(ServerTls&&) noexcept = default;
ServerTls& ServerTls::operator=(ServerTls&&) noexcept = default;
ServerTls::~ServerTls() = default;
const Bytes& ServerTls::pin() const { return state_->pin; }

namespace {

// The key alone counts, as everywhere: no names, no dates, no authority. That the peer has it, the
// handshake proves after this.
int check_client(X509_STORE_CTX* peer, void* pin) {
  const X509* const certificate = X509_STORE_CTX_get0_cert(peer);
  if (certificate != nullptr && pin_of(certificate) == *static_cast<const Bytes*>(pin)) return 1;
  X509_STORE_CTX_set_error(peer, X509_V_ERR_CERT_REJECTED);
  return 0;
}

}  // namespace

void ServerTls::require_client(Bytes client_pin) {
  state_->client_pin = std::move(client_pin);
  SSL_CTX* const context = state_->context.get();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, check_client, &state_->client_pin);
}

}  // namespace holdfast::net
