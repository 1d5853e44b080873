// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILens} from "./interfaces/ILens.sol";
import {IPayments} from "./interfaces/IPayments.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {Role} from "./interfaces/Messages.sol";

/// @title Lens
/// @notice Pages of operators in one call, see ILens.
contract Lens is ILens {
    /// @notice Read for pools, weights and buckets.
    IStaking public immutable staking;
    /// @notice Read for operators.
    IRegistry public immutable registry;
    /// @notice Read for backing.
    IPayments public immutable payments;

    constructor(IStaking staking_, IRegistry registry_) {
        staking = staking_;
        registry = registry_;
        payments = IPayments(staking_.payments());
    }

    /// @inheritdoc ILens
    function network() external view returns (NetworkView memory) {
        (uint256 rewardRate, uint256 rewardsEndAt) = staking.rewardStream();
        return NetworkView({
            epoch: staking.currentEpoch(),
            epochLength: staking.epochLength(),
            minerCount: registry.operatorCount(Role.Miner),
            coordinatorCount: registry.operatorCount(Role.Coordinator),
            minerWeight: staking.totalWeight(Role.Miner),
            coordinatorWeight: staking.totalWeight(Role.Coordinator),
            minMinerStake: staking.minStake(Role.Miner),
            minCoordinatorStake: staking.minStake(Role.Coordinator),
            rewardRate: rewardRate,
            rewardsEndAt: rewardsEndAt,
            pausedUntil: staking.pausedUntil(),
            domainSeparator: registry.domainSeparator()
        });
    }

    /// @inheritdoc ILens
    function operators(Role role, uint256 offset, uint256 limit) external view returns (OperatorView[] memory page) {
        address[] memory accounts = registry.operators(role, offset, limit);
        page = new OperatorView[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            page[i] = operator(accounts[i]);
        }
    }

    /// @inheritdoc ILens
    function operator(address account) public view returns (OperatorView memory v) {
        IRegistry.Registration memory r = registry.registration(account);
        v.operator = account;
        v.role = r.role;
        v.active = r.active;
        v.tombstoned = staking.isTombstoned(account);
        v.node = r.node;
        v.registeredAt = r.registeredAt;
        v.endpoint = r.endpoint;
        v.info = r.info;
        (v.poolAssets, v.poolShares) = staking.pool(account);
        v.ownAssets = staking.assetsOf(account, account);
        v.weight = staking.weightOf(account);
        (v.jailed, v.jailedUntil) = staking.jailStatus(account);
        (v.commission, v.commissionAnnounced, v.commissionFrom) = staking.commissionOf(account);
        if (r.role == Role.Coordinator) v.backing = payments.backingOf(account);
    }

    /// @inheritdoc ILens
    function positions(address owner, address[] calldata operators_, uint256 bucketEpochs)
        external
        view
        returns (PositionView[] memory views)
    {
        views = new PositionView[](operators_.length);
        for (uint256 i; i < operators_.length; ++i) {
            views[i] = _position(owner, operators_[i], bucketEpochs);
        }
    }

    /// @dev The last `bucketEpochs` epochs, that of now included.
    function _position(address owner, address account, uint256 bucketEpochs)
        internal
        view
        returns (PositionView memory v)
    {
        v.operator = account;
        v.shares = staking.sharesOf(account, owner);
        v.assets = staking.assetsOf(account, owner);

        uint256 current = staking.currentEpoch();
        uint256 first = bucketEpochs > current ? 0 : current + 1 - bucketEpochs;
        uint256[] memory found = new uint256[](current + 1 - first);
        uint256 count;
        for (uint256 epoch = first; epoch <= current; ++epoch) {
            uint256 assets = staking.bucketAssetsOf(account, epoch, owner);
            if (assets == 0) continue;
            found[count++] = epoch;
            if (current < staking.maturityOf(epoch)) {
                v.maturing += assets;
                continue;
            }
            uint256 free = staking.withdrawable(account, epoch, owner);
            v.withdrawable += free;
            v.held += assets - free;
        }
        v.epochs = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            v.epochs[i] = found[i];
        }
    }
}
