// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {NodeConsent, Role} from "./interfaces/Messages.sol";
import {MessageHashes} from "./libraries/MessageHashes.sol";

/// @title Registry
/// @notice Who is a miner or a coordinator, see IRegistry.
/// @dev Nodes are keys, not contracts: an ERC-1271 signature can be revoked by its contract, and so could a voucher or a result that
/// others already relied on. An operator may be a contract; then its node should be another address.
contract Registry is IRegistry, EIP712 {
    using MessageHashes for NodeConsent;

    // ---------------------------------------------------------------------------------------------------------- constants

    /// @notice Bytes.
    uint256 public constant MAX_ENDPOINT_LENGTH = 256;
    /// @notice Bytes.
    uint256 public constant MAX_INFO_LENGTH = 2048;

    // ------------------------------------------------------------------------------------------------------------ storage

    struct Node {
        /// For ever: a key that ever signed for one operator can never sign for another.
        address operator;
        /// Seconds; zero while in use.
        uint64 retiredAt;
    }

    /// @notice Where own stake is, and weight begins and ends.
    IStaking public immutable staking;
    /// @inheritdoc IRegistry
    uint256 public immutable nodeGrace;

    mapping(address operator => Registration) internal _registrations;
    mapping(address node => Node) internal _nodes;
    mapping(Role role => address[]) internal _operators;

    /// @param staking_ Already names this contract as its registry.
    /// @param nodeGrace_ Seconds; longer than the life of an offer.
    constructor(IStaking staking_, uint256 nodeGrace_) EIP712("Cuckoo", "1") {
        if (address(staking_) == address(0)) revert ZeroAddress();
        if (staking_.registry() != address(this)) revert InvalidParameter("staking", uint160(address(staking_)));
        if (nodeGrace_ == 0 || nodeGrace_ > 365 days) revert InvalidParameter("nodeGrace", nodeGrace_);
        staking = staking_;
        nodeGrace = nodeGrace_;
    }

    // -------------------------------------------------------------------------------------------------------------- verbs

    /// @inheritdoc IRegistry
    function register(
        Role role,
        address node,
        string calldata endpoint,
        string calldata info,
        bytes calldata nodeConsent
    ) external {
        if (role == Role.None) revert InvalidRole(role);
        Registration storage r = _registrations[msg.sender];
        // One role an operator, for ever: whoever retired may only come back to the role it had.
        Role known = r.role;
        if (r.active || (known != Role.None && known != role)) revert AlreadyRegistered(msg.sender, known);
        uint256 stake = staking.assetsOf(msg.sender, msg.sender);
        uint256 minimum = staking.minStake(role);
        if (stake <= minimum) revert InsufficientStake(msg.sender, stake, minimum);
        _requireTexts(role, endpoint, info);
        _requireConsent(msg.sender, node, nodeConsent);

        if (known == Role.None) {
            r.role = role;
            r.registeredAt = uint64(block.timestamp);
            _operators[role].push(msg.sender);
        }
        r.active = true;
        r.endpoint = endpoint;
        r.info = info;
        if (r.node != node) _setNode(r, node);
        uint256 weight = staking.setRole(msg.sender, role, true);

        emit Registered(msg.sender, role, node, endpoint, info, weight);
    }

    /// @inheritdoc IRegistry
    function update(string calldata endpoint, string calldata info) external {
        Registration storage r = _active(msg.sender);
        _requireTexts(r.role, endpoint, info);
        r.endpoint = endpoint;
        r.info = info;
        emit Updated(msg.sender, endpoint, info);
    }

    /// @inheritdoc IRegistry
    function setNode(address node, bytes calldata nodeConsent) external {
        Registration storage r = _active(msg.sender);
        if (r.node == node) revert NodeUnchanged(node);
        _requireConsent(msg.sender, node, nodeConsent);
        _setNode(r, node);
    }

    /// @inheritdoc IRegistry
    /// @dev The node stays in use: what it signed before is still owed, and it may have to answer for it.
    function retire() external {
        Registration storage r = _active(msg.sender);
        Role role = r.role;
        r.active = false;
        staking.setRole(msg.sender, role, false);
        emit Retired(msg.sender, role);
    }

    // ----------------------------------------------------------------------------------------------------------- internal

    function _active(address operator) internal view returns (Registration storage r) {
        r = _registrations[operator];
        if (!r.active) revert NotRegistered(operator);
    }

    function _requireTexts(Role role, string calldata endpoint, string calldata info) internal pure {
        uint256 length = bytes(endpoint).length;
        if (length > MAX_ENDPOINT_LENGTH || (length == 0 && role == Role.Coordinator)) {
            revert InvalidText("endpoint", length, MAX_ENDPOINT_LENGTH);
        }
        length = bytes(info).length;
        if (length > MAX_INFO_LENGTH) revert InvalidText("info", length, MAX_INFO_LENGTH);
    }

    /// @dev Nobody can name another's key: it signs for its operator, or it is the operator, who is the caller.
    function _requireConsent(address operator, address node, bytes calldata nodeConsent) internal view {
        if (node == address(0)) revert ZeroAddress();
        address owner = _nodes[node].operator;
        if (owner != address(0) && owner != operator) revert NodeTaken(node, owner);
        if (node == operator) return;
        bytes32 digest =
            MessageHashes.digest(_domainSeparatorV4(), NodeConsent({operator: operator, node: node}).hash());
        (address signer,,) = ECDSA.tryRecover(digest, nodeConsent);
        if (signer != node) revert InvalidConsent(operator, node);
    }

    /// @dev Puts `node` in use for the caller and retires the one before it.
    function _setNode(Registration storage r, address node) internal {
        address previous = r.node;
        r.node = node;
        _nodes[node] = Node({operator: msg.sender, retiredAt: 0});
        if (previous != address(0)) {
            _nodes[previous].retiredAt = uint64(block.timestamp);
            emit NodeSet(msg.sender, node, previous, block.timestamp);
        }
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IRegistry
    function registration(address operator) external view returns (Registration memory) {
        return _registrations[operator];
    }

    /// @inheritdoc IRegistry
    function roleOf(address operator) external view returns (Role) {
        return _registrations[operator].role;
    }

    /// @inheritdoc IRegistry
    function operatorOf(address node) external view returns (address) {
        return _nodes[node].operator;
    }

    /// @inheritdoc IRegistry
    function nodeOf(address operator) external view returns (address) {
        return _registrations[operator].node;
    }

    /// @inheritdoc IRegistry
    function retiredAt(address node) external view returns (uint256) {
        return _nodes[node].retiredAt;
    }

    /// @inheritdoc IRegistry
    function isLiable(address operator, address node, uint256 time) external view returns (bool) {
        Node memory n = _nodes[node];
        if (operator == address(0) || n.operator != operator) return false;
        // liable: in use, or time <= retiredAt + grace
        return n.retiredAt == 0 || time <= n.retiredAt + nodeGrace;
    }

    /// @inheritdoc IRegistry
    function operatorCount(Role role) external view returns (uint256) {
        return _operators[role].length;
    }

    /// @inheritdoc IRegistry
    function operators(Role role, uint256 offset, uint256 limit) external view returns (address[] memory page) {
        address[] storage all = _operators[role];
        uint256 count = all.length;
        if (offset >= count) return page;
        // page = all[offset .. offset + limit), as far as there are any
        uint256 size = limit < count - offset ? limit : count - offset;
        page = new address[](size);
        for (uint256 i; i < size; ++i) {
            page[i] = all[offset + i];
        }
    }

    /// @inheritdoc IRegistry
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }
}
