// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IRegistry, IStaking, Role} from "../utils/BaseTest.sol";

contract RetireTest is BaseTest {
    function test_leavesTheRoleButNotTheStake() public {
        _registerMiner(30_000e18);
        vm.expectEmit(address(staking));
        emit IStaking.RoleSet(miner, Role.Miner, false, 0);
        vm.expectEmit(address(registry));
        emit IRegistry.Retired(miner, Role.Miner);
        vm.prank(miner);
        registry.retire();
        assertEq(staking.weightOf(miner), 0);
        assertEq(staking.totalWeight(Role.Miner), 0);
        assertEq(staking.assetsOf(miner, miner), 30_000e18);
        assertFalse(registry.registration(miner).active);
        assertEq(uint8(registry.registration(miner).role), uint8(Role.Miner));
    }

    function test_theNodeStaysLiable() public {
        _registerMiner(30_000e18);
        vm.prank(miner);
        registry.retire();
        assertEq(registry.nodeOf(miner), minerNode);
        assertTrue(registry.isLiable(miner, minerNode, type(uint256).max));
    }

    function test_revertsTwiceAndForStrangers() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotRegistered.selector, address(this)));
        registry.retire();
        _registerMiner(30_000e18);
        vm.startPrank(miner);
        registry.retire();
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotRegistered.selector, miner));
        registry.retire();
    }
}
