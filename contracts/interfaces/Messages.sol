// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// The messages that operators' nodes sign, as EIP-712 structs of the domain
// {name "Cuckoo", version "1", chainId, verifyingContract Registry}.
// Amounts are CAI wei, times are chain seconds. Addresses are operators unless a name says node: operators own, nodes sign.

/// @notice What an operator is registered as; one role an operator.
enum Role {
    None,
    Miner,
    Coordinator
}

/// @notice A coordinator's promise to pay `price` for one request; signed by the coordinator's node. Its digest is the offerHash.
struct Offer {
    address coordinator;
    address miner;
    bytes32 modelId;
    bytes32 requestHash;
    uint256 price;
    uint64 expiry;
}

/// @notice A miner's commitment to the work done for an offer; signed by the miner's node.
/// `states` counts s0...sN, so it is N + 1.
struct Result {
    bytes32 offerHash;
    bytes32 traceRoot;
    uint32 states;
    bytes32 outputHash;
}

/// @notice The total that `payer` (coordinator) owes `payee` (miner) since their channel began; signed by the payer's node.
/// The newest, that is the largest, supersedes all before it.
struct Voucher {
    address payer;
    address payee;
    uint256 cumulative;
}

/// @notice A node key's agreement to sign for `operator`, and only for it, for ever; signed by the node.
struct NodeConsent {
    address operator;
    address node;
}

/// @notice A miner's login at a coordinator's link; signed by the miner's node. Bound to one coordinator, its URL and a server nonce.
struct Login {
    address miner;
    address coordinator;
    address coordinatorNode;
    string origin;
    bytes32 nonce;
}

/// @notice The coordinator's answer to a login; signed by the coordinator's node, so that a miner knows whom it works for.
struct Session {
    bytes32 loginHash;
    bytes32 tokenHash;
    uint64 expiry;
}
