// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking, Role} from "../utils/BaseTest.sol";

contract SetRoleTest is BaseTest {
    function _setRole(Role role, bool active) internal returns (uint256 weight) {
        vm.expectEmit(true, false, false, false, address(staking));
        emit IStaking.RoleSet(miner, role, active, 0);
        vm.prank(address(registry));
        weight = staking.setRole(miner, role, active);
        assertEq(weight, staking.weightOf(miner));
    }

    function test_movesTheWeightInAndOut() public {
        _delegate(miner, miner, 3_000_000e18);
        assertEq(_setRole(Role.Miner, true), 3_000_000e18);
        assertEq(staking.totalWeight(Role.Miner), 3_000_000e18);
        assertEq(_setRole(Role.Miner, false), 0);
        assertEq(staking.totalWeight(Role.Miner), 0);
    }

    function test_fromOneRoleToAnother() public {
        // The Registry never asks for it; the totals would be right all the same.
        _delegate(miner, miner, 3_000_000e18);
        _setRole(Role.Miner, true);
        _setRole(Role.Coordinator, true);
        assertEq(staking.totalWeight(Role.Miner), 0);
        assertEq(staking.totalWeight(Role.Coordinator), 3_000_000e18);
    }

    function test_noRoleHasNoWeight() public {
        _delegate(miner, miner, 3_000_000e18);
        assertEq(_setRole(Role.None, true), 0);
    }

    function test_emitsTheWeight() public {
        _delegate(miner, miner, 30_000e18);
        vm.expectEmit(address(staking));
        emit IStaking.RoleSet(miner, Role.Miner, true, 30_000e18);
        vm.prank(address(registry));
        staking.setRole(miner, Role.Miner, true);
    }

    function test_revertsForOthers() public {
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, miner));
        staking.setRole(miner, Role.Miner, true);
        vm.prank(slasher);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, slasher));
        staking.setRole(miner, Role.Miner, true);
    }

    function test_leavingGoesOnWhileEntryIsPaused() public {
        _delegate(miner, miner, 30_000e18);
        _setRole(Role.Miner, true);
        vm.prank(guardian);
        staking.pauseEntry(block.timestamp + 1);
        assertEq(_setRole(Role.Miner, false), 0);
        vm.prank(address(registry));
        vm.expectRevert(abi.encodeWithSelector(IStaking.EntryPaused.selector, block.timestamp + 1));
        staking.setRole(miner, Role.Miner, true);
    }

    function test_ofAJailedOperatorGivesNoWeight() public {
        _delegate(miner, miner, 30_000e18);
        vm.prank(address(payments));
        staking.jail(miner, 100);
        assertEq(_setRole(Role.Miner, true), 0);
        assertEq(staking.totalWeight(Role.Miner), 0);
    }

    /// Both changes of an epoch are one in the histories.
    function test_fromOneRoleToAnotherIsRemembered() public {
        _delegate(miner, miner, 3_000_000e18);
        uint256 epoch = staking.currentEpoch();
        _setRole(Role.Miner, true);
        _nextEpoch(2);
        _setRole(Role.Coordinator, true);
        _nextEpoch(1);
        assertEq(staking.weightAt(miner, epoch), 0);
        assertEq(staking.weightAt(miner, epoch + 2), 3_000_000e18);
        assertEq(staking.totalWeightAt(Role.Miner, epoch + 2), 3_000_000e18);
        assertEq(staking.totalWeightAt(Role.Coordinator, epoch + 2), 0);
        assertEq(staking.weightAt(miner, epoch + 3), 3_000_000e18);
        assertEq(staking.totalWeightAt(Role.Miner, epoch + 3), 0);
        assertEq(staking.totalWeightAt(Role.Coordinator, epoch + 3), 3_000_000e18);
    }
}
