// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Role} from "./Messages.sol";

/// @title Everything about pages of operators in one call. Stateless; replaceable at any time.
/// @dev Amounts and weights are CAI wei.
interface ILens {
    /// @notice An operator: what it registered, and how its pool stands.
    struct OperatorView {
        address operator;
        Role role;
        /// Registered and not retired.
        bool active;
        bool tombstoned;
        address node;
        uint64 registeredAt;
        string endpoint;
        string info;
        uint256 poolAssets;
        uint256 poolShares;
        uint256 ownAssets;
        uint256 weight;
        /// No weight until it unjails itself, which it can from `jailedUntil` (seconds) on.
        bool jailed;
        uint256 jailedUntil;
        /// WAD, and a rise that can take effect from `commissionFrom` (seconds) on; zeros when none is announced.
        uint256 commission;
        uint256 commissionAnnounced;
        uint256 commissionFrom;
        /// CAI wei of its own stake that stand behind its vouchers.
        uint256 backing;
    }

    /// @notice The whole network.
    struct NetworkView {
        uint256 epoch;
        uint256 epochLength;
        uint256 minerCount;
        uint256 coordinatorCount;
        uint256 minerWeight;
        uint256 coordinatorWeight;
        uint256 minMinerStake;
        uint256 minCoordinatorStake;
        /// CAI wei a second that the reward stream pays, and until when (seconds).
        uint256 rewardRate;
        uint256 rewardsEndAt;
        /// Entry is paused until then (seconds).
        uint256 pausedUntil;
        bytes32 domainSeparator;
    }

    /// @notice What one owner has behind one operator, rounded down.
    struct PositionView {
        address operator;
        uint256 shares;
        uint256 assets;
        /// What has left the pool and has not matured, what has and is held back by open disputes, and what can be withdrawn now; of the
        /// last `bucketEpochs` epochs asked for.
        uint256 maturing;
        uint256 held;
        uint256 withdrawable;
        /// Epochs of the owner's buckets that are not empty.
        uint256[] epochs;
    }

    /// @notice Counts, weights, minima and the reward stream of the whole network, as of now.
    function network() external view returns (NetworkView memory);

    /// @notice A page of a role's operators in the order of their first registration.
    /// @param role Miner or Coordinator.
    /// @param offset Operators left out before the page.
    /// @param limit The most in a page.
    /// @return page Shorter at the end of the list.
    function operators(Role role, uint256 offset, uint256 limit) external view returns (OperatorView[] memory page);

    /// @notice One operator; one that never registered has role None.
    /// @param account Of an operator.
    function operator(address account) external view returns (OperatorView memory);

    /// @notice What `owner` has behind each of `operators_`, looking back `bucketEpochs` epochs for buckets.
    function positions(address owner, address[] calldata operators_, uint256 bucketEpochs)
        external
        view
        returns (PositionView[] memory);
}
