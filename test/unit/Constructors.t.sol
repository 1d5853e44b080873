// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {BaseTest, IFaucet, IPayments, IRegistry, IStaking, Role} from "../utils/BaseTest.sol";

contract ConstructorsTest is BaseTest {
    bytes4 internal constant INVALID = IStaking.InvalidParameter.selector;
    uint256 internal constant LEAST = 2 ** 66;
    bytes4 internal constant ZERO = IStaking.ZeroAddress.selector;

    function _expect(string memory name, uint256 value) internal {
        vm.expectRevert(abi.encodeWithSelector(INVALID, name, value));
    }

    function _staking(
        address cai_,
        address registry_,
        uint256 epoch,
        uint256 minMiner,
        uint256 minCoordinator,
        address[] memory slashers
    ) internal {
        IStaking.Parameters memory p = _parameters();
        (p.epochLength, p.minMinerStake, p.minCoordinatorStake) = (epoch, minMiner, minCoordinator);
        this.deploy("Staking", abi.encode(cai_, registry_, bob, timelock, p, slashers));
    }

    function test_errorsAreTheSameEverywhere() public pure {
        assertEq(INVALID, IRegistry.InvalidParameter.selector);
        assertEq(INVALID, IPayments.InvalidParameter.selector);
        assertEq(INVALID, IFaucet.InvalidParameter.selector);
        assertEq(ZERO, IRegistry.ZeroAddress.selector);
    }

    function test_staking() public {
        address[] memory none = new address[](0);
        uint256 supply = cai.totalSupply();
        vm.expectRevert(ZERO);
        _staking(address(0), alice, EPOCH, LEAST, LEAST, none);
        vm.expectRevert(ZERO);
        _staking(address(cai), address(0), EPOCH, LEAST, LEAST, none);
        _expect("epochLength", 0);
        _staking(address(cai), alice, 0, LEAST, LEAST, none);
        _expect("epochLength", 365 days + 1);
        _staking(address(cai), alice, 365 days + 1, LEAST, LEAST, none);
        _expect("minMinerStake", supply);
        _staking(address(cai), alice, EPOCH, supply, LEAST, none);
        _expect("minCoordinatorStake", supply);
        _staking(address(cai), alice, EPOCH, LEAST, supply, none);

        IStaking.Parameters memory p = _parameters();
        vm.expectRevert(ZERO);
        this.deploy("Staking", abi.encode(cai, alice, address(0), timelock, p, none));
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        this.deploy("Staking", abi.encode(cai, alice, bob, address(0), p, none));
        p.rewardPeriod = 1 days - 1;
        _expect("rewardPeriod", p.rewardPeriod);
        this.deploy("Staking", abi.encode(cai, alice, bob, timelock, p, none));
        p.rewardPeriod = 36_525 days + 1;
        _expect("rewardPeriod", p.rewardPeriod);
        this.deploy("Staking", abi.encode(cai, alice, bob, timelock, p, none));

        _expect("minMinerStake", LEAST - 1);
        _staking(address(cai), alice, EPOCH, LEAST - 1, LEAST, none);
        _expect("minCoordinatorStake", LEAST - 1);
        _staking(address(cai), alice, EPOCH, LEAST, LEAST - 1, none);
        p = _parameters();
        p.guardianExpiry = block.timestamp + 4 * 365 days + 1;
        _expect("guardianExpiry", p.guardianExpiry);
        this.deploy("Staking", abi.encode(cai, alice, bob, timelock, p, none));

        address[] memory slashers = new address[](3);
        (slashers[0], slashers[1]) = (alice, bob);
        vm.expectRevert(ZERO);
        _staking(address(cai), alice, EPOCH, LEAST, LEAST, slashers);
        slashers[2] = alice;
        vm.expectRevert(abi.encodeWithSelector(IStaking.SlasherKnown.selector, alice));
        _staking(address(cai), alice, EPOCH, LEAST, LEAST, slashers);
        slashers[2] = carol;
        _staking(address(cai), alice, EPOCH, LEAST, LEAST, slashers);
        _staking(address(cai), alice, 365 days, supply - 1, supply - 1, none);
    }

    function test_stakingsParameters() public view {
        assertEq(staking.epochLength(), EPOCH);
        assertEq(staking.minStake(Role.Miner), MIN_MINER);
        assertEq(staking.minStake(Role.Coordinator), MIN_COORDINATOR);
        assertEq(staking.minStake(Role.None), type(uint256).max);
        assertEq(staking.registry(), address(registry));
        assertTrue(staking.isSlasher(slasher));
        assertFalse(staking.isSlasher(address(this)));
        assertEq(staking.currentEpoch(), 20_000);
        assertEq(staking.maturityOf(7), 10);
    }

    function test_registry() public {
        vm.expectRevert(ZERO);
        this.deploy("Registry", abi.encode(address(0), GRACE));
        // Another registry than the one that the staking contract knows.
        _expect("staking", uint160(address(staking)));
        this.deploy("Registry", abi.encode(staking, GRACE));

        address[] memory none = new address[](0);
        for (uint256 i; i < 2; ++i) {
            uint256 grace = i * (365 days + 1);
            address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
            IStaking other = IStaking(_deployStaking(next, alice, _parameters(), none));
            _expect("nodeGrace", grace);
            this.deploy("Registry", abi.encode(other, grace));
        }
        assertEq(registry.nodeGrace(), GRACE);
    }

    function test_faucet() public {
        vm.expectRevert(ZERO);
        this.deploy("Faucet", abi.encode(address(0), DRIP, COOLDOWN));
        _expect("dripAmount", 0);
        this.deploy("Faucet", abi.encode(cai, 0, COOLDOWN));
        _expect("cooldown", 0);
        this.deploy("Faucet", abi.encode(cai, DRIP, 0));
        _expect("cooldown", 365 days + 1);
        this.deploy("Faucet", abi.encode(cai, DRIP, 365 days + 1));
        assertEq(faucet.dripAmount(), DRIP);
        assertEq(faucet.cooldown(), COOLDOWN);
    }

    function test_token() public {
        assertEq(cai.totalSupply(), 1_000_000_000e18);
        assertEq(cai.balanceOf(address(this)), 1_000_000_000e18);
        cai.burn(1e18);
        assertEq(cai.totalSupply(), 999_999_999e18);
    }
}
