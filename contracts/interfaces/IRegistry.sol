// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Role} from "./Messages.sol";

/// @title Who is a miner or a coordinator, which key signs for it and where it is found.
/// @notice Operators register themselves; their own stake must be strictly more than the role's minimum. Also the EIP-712 domain of all messages.
/// @dev `operator` is an account that registered, `node` the key that signs for it, `role` Miner or Coordinator. A page is what is left of a list
/// after its first `offset`, at most `limit` of it.
interface IRegistry {
    /// @notice The operator's own `stake` (CAI wei) is not above the role's `minimum`.
    error InsufficientStake(address operator, uint256 stake, uint256 minimum);
    /// @notice Neither miner nor coordinator.
    error InvalidRole(Role role);
    /// @notice The operator has a role already.
    error AlreadyRegistered(address operator, Role role);
    /// @notice The operator has no role, or has retired.
    error NotRegistered(address operator);
    /// @notice The node belongs to another operator, for ever.
    error NodeTaken(address node, address operator);
    /// @notice The node is in use already.
    error NodeUnchanged(address node);
    /// @notice The node did not consent: the signature is of another key or of another message.
    error InvalidConsent(address operator, address node);
    /// @notice The zero address was given.
    error ZeroAddress();
    /// @notice `field` has `length` bytes: more than its `limit`, or none where it must not be empty.
    error InvalidText(string field, uint256 length, uint256 limit);
    /// @notice A constructor argument outside its bounds: `name` is `value`.
    error InvalidParameter(string name, uint256 value);

    /// @notice The operator entered the role, for the first time or again, with this `endpoint` and `info` (introduction). Its `weight`
    /// (CAI wei) counts from now on.
    event Registered(
        address indexed operator, Role indexed role, address indexed node, string endpoint, string info, uint256 weight
    );
    /// @notice The operator's `endpoint` and `info` (introduction) are these now.
    event Updated(address indexed operator, string endpoint, string info);
    /// @notice `previous` stays liable for offers that expire before `retiredAt` plus the grace.
    event NodeSet(address indexed operator, address indexed node, address indexed previous, uint256 retiredAt);
    /// @notice The operator left the role; it has no weight from now on.
    event Retired(address indexed operator, Role indexed role);

    /// @notice What an operator registered; all zero for one that never did.
    struct Registration {
        Role role;
        bool active;
        uint64 registeredAt;
        address node;
        string endpoint;
        string info;
    }

    /// @notice Registers the caller. A retired operator registers again in the same way.
    /// @param node Signs for the caller; the caller itself is allowed, another address is recommended.
    /// @param endpoint URL of a coordinator's agent (required for that role), at most 256 bytes.
    /// @param info Introduction, at most 2,048 bytes.
    /// @param nodeConsent The node's signature of `NodeConsent`; may be empty when the node is the caller.
    /// @param role Miner or Coordinator; a retired operator has to name its former one.
    /// @custom:caller Anybody, for itself, while entry is open.
    /// @custom:reverts AlreadyRegistered, InsufficientStake, InvalidConsent, InvalidRole, InvalidText, NodeTaken,
    /// ZeroAddress, those of IStaking.setRole
    function register(
        Role role,
        address node,
        string calldata endpoint,
        string calldata info,
        bytes calldata nodeConsent
    ) external;

    /// @notice Changes the caller's endpoint and introduction.
    /// @param endpoint As in `register`.
    /// @param info As in `register`.
    /// @custom:caller An operator that is not retired.
    /// @custom:reverts InvalidText, NotRegistered
    function update(string calldata endpoint, string calldata info) external;

    /// @notice Replaces the caller's node. A former node of the same operator may come back.
    /// @param node Signs from now on; the former one stays liable for `nodeGrace` seconds.
    /// @param nodeConsent The node's signature of `NodeConsent`; may be empty when the node is the caller.
    /// @custom:caller An operator that is not retired.
    /// @custom:reverts InvalidConsent, NodeTaken, NodeUnchanged, NotRegistered, ZeroAddress
    function setNode(address node, bytes calldata nodeConsent) external;

    /// @notice Leaves the role: no weight from now on. Stake is left by `Staking.undelegate`.
    /// @custom:caller An operator that is not retired.
    /// @custom:reverts NotRegistered, those of IStaking.setRole
    function retire() external;

    /// @notice What an operator registered as, and with what; all zero for one that never did.
    function registration(address operator) external view returns (Registration memory);

    /// @notice Role of an operator, retired or not; it never changes.
    function roleOf(address operator) external view returns (Role);

    /// @notice Operator that a node belongs to; zero if none.
    function operatorOf(address node) external view returns (address);

    /// @notice Node in use; zero if never registered.
    function nodeOf(address operator) external view returns (address);

    /// @notice Seconds at which a node was replaced; zero while it is in use or unknown.
    function retiredAt(address node) external view returns (uint256);

    /// @notice Whether `node` may answer for `operator` for messages whose time is `time`: it is in use, or was replaced and `time`
    /// is not past its retirement plus the grace.
    function isLiable(address operator, address node, uint256 time) external view returns (bool);

    /// @notice Number of operators that ever registered in a role.
    function operatorCount(Role role) external view returns (uint256);

    /// @notice A page of operators of a role in the order of their first registration, retired ones included.
    function operators(Role role, uint256 offset, uint256 limit) external view returns (address[] memory);

    /// @notice EIP-712 domain separator of every message of the network on this chain.
    function domainSeparator() external view returns (bytes32);

    /// @notice Seconds for which a replaced node stays liable.
    function nodeGrace() external view returns (uint256);
}
