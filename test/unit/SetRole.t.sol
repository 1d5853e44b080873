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
}
