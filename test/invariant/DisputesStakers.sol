// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesModel} from "./DisputesModel.sol";
import {IDisputes} from "../utils/DisputesTest.sol";

/// @dev What happens beside the disputes: everybody stakes, votes, leaves, is slashed by another, jailed, changes its node; the owner changes
/// parameters and models, the guardian pauses.
abstract contract DisputesStakers is DisputesModel {
    struct Exit {
        address operator;
        address owner;
        uint256 epoch;
    }

    Exit[] internal _exits;
    mapping(address operator => mapping(uint256 epoch => mapping(address owner => bool))) internal _hasExit;
    /// Withdrawals of what open disputes left free.
    uint256 public drawnEarly;

    // --------------------------------------------------------------------------------------------------------------- actions

    function delegate(uint256 operator, uint256 owner, uint256 assets) external {
        (address to, address from) = _pair(operator, owner);
        if (block.timestamp < staking.pausedUntil() || staking.isTombstoned(to)) return;
        _delegate(to, from, bound(assets, 1e18, 50_000e18));
    }

    function undelegate(uint256 operator, uint256 owner, uint256 part) external {
        (address from, address to) = _pair(operator, owner);
        if (staking.assetsOf(from, to) != 0) _leave(from, to, part);
    }

    function _leave(address operator, address owner, uint256 part) internal {
        uint256 held = staking.sharesOf(operator, owner);
        (uint256 assets, uint256 total) = staking.pool(operator);
        uint256 least = (total + FIRST) / (assets + 1) + 1;
        _undelegate(operator, owner, least >= held || part % 4 == 0 ? held : bound(part, least, held));
        uint256 epoch = staking.currentEpoch();
        if (_hasExit[operator][epoch][owner]) return;
        _hasExit[operator][epoch][owner] = true;
        _exits.push(Exit(operator, owner, epoch));
    }

    /// @dev Also while disputes hold a part: then of what is free. @param wait 0 mod 4: until it has matured.
    function withdraw(uint256 which, uint256 wait) external {
        if (_exits.length == 0) return;
        Exit memory e = _exits[which % _exits.length];
        uint256 matures = staking.maturityOf(e.epoch) * EPOCH;
        if (wait % 4 == 0 && block.timestamp < matures) vm.warp(matures);
        uint256 free = staking.withdrawable(e.operator, e.epoch, e.owner);
        if (free != 0) _withdraw(e, free);
    }

    function _withdraw(Exit memory e, uint256 free) internal {
        if (staking.heldFraction(e.operator, e.epoch) != 0) ++drawnEarly;
        vm.prank(e.owner);
        assertEq(staking.withdraw(e.operator, e.epoch, e.owner), free, "what is free is paid");
        _takenFrom[e.operator][e.epoch] += free;
    }

    function cancel(uint256 which) external {
        if (_exits.length == 0) return;
        Exit memory e = _exits[which % _exits.length];
        if (staking.currentEpoch() >= staking.maturityOf(e.epoch) || staking.isTombstoned(e.operator)) return;
        if (staking.bucketAssetsOf(e.operator, e.epoch, e.owner) != 0) _cancel(e.operator, e.owner, e.epoch);
    }

    /// @dev Another slasher, so that an epoch's limit is used up.
    function slash(uint256 operator, uint256 fraction) external {
        address from = miners[operator % 4];
        fraction = bound(fraction, 0.001e18, 0.3e18);
        uint256 slashed = _slash(from, fraction);
        _fractionNow(from, fraction);
        burned += slashed;
    }

    function unjail(uint256 operator) external {
        address who = miners[operator % MINERS];
        (bool jailed, uint256 until) = staking.jailStatus(who);
        if (!jailed || block.timestamp < until) return;
        vm.prank(who);
        staking.unjail();
    }

    /// @dev Or comes back.
    function retire(uint256 operator) external {
        address who = miners[operator % MINERS];
        if (registry.registration(who).active) {
            vm.prank(who);
            registry.retire();
        } else if (block.timestamp >= staking.pausedUntil() && staking.assetsOf(who, who) > MIN_MINER) {
            _comeBack(who);
        }
    }

    function setNode(uint256 operator) external {
        address who = miners[operator % MINERS];
        if (registry.registration(who).active) _replaceNode(who);
    }

    function setParameters(uint256 money, uint256 time, uint256 fraction, uint256 jurors_) external {
        IDisputes.Parameters memory p = _disputeParameters();
        (p.bond, p.juryFee) = (uint80(bound(money, 1e18, 2000e18)), uint80(bound(money >> 128, 1e18, 700e18)));
        p.fraction = uint64(bound(fraction, 0.01e18, 0.5e18));
        p.jailTerm = uint32(jurors_ / 64 % 3 * 1 days);
        uint256 percent = 25 + time % 125;
        p.maxOfferLife = uint32(p.maxOfferLife * percent / 100);
        p.challengeWindow = uint32(p.challengeWindow * percent / 100);
        p.answerWindow = uint32(p.answerWindow * percent / 100);
        p.seedWindow = uint32(p.seedWindow * percent / 100);
        p.commitWindow = uint32(p.commitWindow * percent / 100);
        p.revealWindow = uint32(p.revealWindow * percent / 100);
        p.vetoWindow = uint32(time / 125 % 4 == 0 ? 0 : p.vetoWindow * percent / 100);
        (p.minJurors, p.rounds) = (uint16(1 + jurors_ % 5), uint8(1 + jurors_ / 8 % 3));
        vm.prank(timelock);
        disputes.setParameters(p);
    }

    function setModel(uint256 on) external {
        vm.prank(timelock);
        disputes.setModel(MODEL, on % 4 != 0);
    }

    function pause(uint256 time) external {
        vm.prank(guardian);
        staking.pauseEntry(block.timestamp + time % 6 hours);
    }

    // ---------------------------------------------------------------------------------------------------------------- internal

    function _everybodyLeaves() internal {
        for (uint256 i; i < MINERS * 4; ++i) {
            (address operator, address owner) = _pair(i / 4, i);
            if (staking.assetsOf(operator, owner) != 0) _leave(operator, owner, 0);
        }
        _nextEpoch(3);
        for (uint256 i; i < _exits.length; ++i) {
            Exit memory e = _exits[i];
            uint256 all = staking.bucketAssetsOf(e.operator, e.epoch, e.owner);
            assertEq(staking.withdrawable(e.operator, e.epoch, e.owner), all, "a voter leaves in full");
            if (all != 0) _withdraw(e, all);
        }
    }

    /// @dev A miner, and it or one of its voters.
    function _pair(uint256 operator, uint256 owner) internal view returns (address, address) {
        address to = miners[operator % MINERS];
        return (to, owner % 4 == 0 ? to : owners[owner % 4]);
    }
}
