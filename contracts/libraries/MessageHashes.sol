// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Login, NodeConsent, Offer, Result, Session, Voucher} from "../interfaces/Messages.sol";

/// @title EIP-712 hashes of the network's messages.
/// @notice hash(struct) = keccak256(typeHash, each member as 32 bytes; a string as its keccak256).
library MessageHashes {
    bytes32 internal constant OFFER_TYPEHASH = keccak256(
        "Offer(address coordinator,address miner,bytes32 modelId,bytes32 requestHash,uint256 price,uint64 expiry)"
    );
    bytes32 internal constant RESULT_TYPEHASH =
        keccak256("Result(bytes32 offerHash,bytes32 traceRoot,uint32 states,bytes32 outputHash)");
    bytes32 internal constant VOUCHER_TYPEHASH = keccak256("Voucher(address payer,address payee,uint256 cumulative)");
    bytes32 internal constant NODE_CONSENT_TYPEHASH = keccak256("NodeConsent(address operator,address node)");
    bytes32 internal constant LOGIN_TYPEHASH =
        keccak256("Login(address miner,address coordinator,address coordinatorNode,string origin,bytes32 nonce)");
    bytes32 internal constant SESSION_TYPEHASH =
        keccak256("Session(bytes32 loginHash,bytes32 tokenHash,uint64 expiry)");

    function hash(Offer memory m) internal pure returns (bytes32) {
        return
            keccak256(abi.encode(OFFER_TYPEHASH, m.coordinator, m.miner, m.modelId, m.requestHash, m.price, m.expiry));
    }

    function hash(Result memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(RESULT_TYPEHASH, m.offerHash, m.traceRoot, m.states, m.outputHash));
    }

    function hash(Voucher memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(VOUCHER_TYPEHASH, m.payer, m.payee, m.cumulative));
    }

    function hash(NodeConsent memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(NODE_CONSENT_TYPEHASH, m.operator, m.node));
    }

    function hash(Login memory m) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(LOGIN_TYPEHASH, m.miner, m.coordinator, m.coordinatorNode, keccak256(bytes(m.origin)), m.nonce)
        );
    }

    function hash(Session memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(SESSION_TYPEHASH, m.loginHash, m.tokenHash, m.expiry));
    }

    /// @notice What is signed: keccak256(0x1901, domainSeparator, structHash).
    function digest(bytes32 domainSeparator, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator, structHash));
    }
}
