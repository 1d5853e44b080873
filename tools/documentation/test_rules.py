"""Sources that are documented as they should be pass; broken in one place each, they fail for what was broken, and --fix writes true lists."""

import tempfile
import unittest
from pathlib import Path

from documentation.fixer import fix
from documentation.rules import check
from documentation.tree import Code
from mutation.compiler import trees

HEAD = "// SPDX-License-Identifier: MIT\npragma solidity 0.8.37;\n"

VAULT = '''
/// @title What others hold for their owners.
/// @dev `owner` is whose it is; amounts are wei.
/// @custom:reverts-packages TooWide
interface IVault {
    /// @notice Its name and number.
    struct Label {
        uint256 number;
    }

    /// @notice `available` is less than asked for.
    error TooLittle(address owner, uint256 available);
    /// @notice Nothing was asked for.
    error Nothing();
    /// @notice It is shut.
    error Shut();

    /// @notice `owner` took `amount`.
    event Taken(address indexed owner, uint256 amount);

    /// @notice Takes out what is the caller's.
    /// @param amount In wei.
    /// @return left What is left, in wei.
    /// @custom:caller Anybody.
    /// @custom:reverts Nothing, Shut, TooLittle, those of IBank.pay
    function take(uint256 amount) external returns (uint256 left);

    /// @notice Shuts it.
    /// @return What it was.
    /// @custom:caller The owner.
    /// @custom:reverts OwnableUnauthorizedAccount
    function shut() external returns (bool);

    /// @notice What is `owner`'s.
    function balance(address owner) external view returns (uint256);
}

/// @title Pays.
interface IBank {
    /// @notice Not today.
    error Closed();

    /// @notice Pays.
    /// @custom:caller Anybody.
    /// @custom:reverts Closed
    function pay() external;
}

/// @title A token of a package.
interface IToken {
    /// @notice Moves one.
    /// @custom:caller Anybody.
    /// @custom:reverts ERC20Empty
    function move() external;
}
'''

CODE = '''
import {Owned, Token, Wide} from "../../node_modules/package/Package.sol";
import {IBank, IVault} from "./interfaces/IVault.sol";

library Amounts {
    using Wide for uint256;

    function requireSome(uint256 amount) internal pure returns (uint256) {
        require(amount != 0, IVault.Nothing());
        return amount.narrow();
    }
}

abstract contract Base is IVault, Owned {
    using Amounts for uint256;

    /// @notice Where it is.
    IBank public bank;
    /// @inheritdoc IVault
    mapping(address owner => uint256) public balance;
    bool internal _shut;

    modifier open() {
        if (_shut) revert Shut();
        _;
    }

    /// @inheritdoc IVault
    function take(uint256 amount) external open returns (uint256 left) {
        amount.requireSome();
        left = _take(amount);
        try bank.pay() {} catch {}
    }

    function _take(uint256 amount) internal virtual returns (uint256);

    /// @inheritdoc IVault
    function shut() external onlyOwner returns (bool before) {
        (before, _shut) = (_shut, true);
    }
}

contract Vault is Base {
    function _take(uint256 amount) internal override returns (uint256 left) {
        left = balance[msg.sender];
        if (left < amount) revert TooLittle(msg.sender, left);
        balance[msg.sender] = left -= amount;
        emit Taken(msg.sender, amount);
        bank.pay();
    }
}

contract Bank is IBank {
    bool internal _closed;

    /// @inheritdoc IBank
    function pay() external view {
        if (_closed) revert Closed();
    }
}

contract Coin is Token {}
'''

PACKAGE = '''
library Wide {
    error TooWide(uint256 value);

    function narrow(uint256 value) internal pure returns (uint256) {
        if (value > type(uint96).max) revert TooWide(value);
        return value;
    }
}

contract Owned {
    error OwnableUnauthorizedAccount(address account);

    modifier onlyOwner() {
        if (msg.sender != address(1)) revert OwnableUnauthorizedAccount(msg.sender);
        _;
    }
}

contract Token {
    error ERC20Empty();

    bool internal _empty;

    function move() external {
        if (_empty) revert ERC20Empty();
        _empty = true;
    }
}
'''

# (what is there, what stands there instead, what has to be found), each in a copy of the sources.
BREAKS = [
    ("    /// @notice Takes out what is the caller's.\n", "", "IVault.take: has no notice"),
    ("    /// @param amount In wei.\n", "", "IVault.take: says nothing of `amount` (@param)"),
    ("    /// @param amount In wei.\n", "    /// @dev Of `amount`.\n", "IVault.take: says nothing of `amount` (@param)"),
    ("    /// @return left What is left, in wei.\n", "", "IVault.take: says nothing of `left` (@return)"),
    ("    /// @return What it was.\n", "", "IVault.shut: says nothing of what it returns (@return)"),
    ("    /// @custom:caller Anybody.\n    /// @custom:reverts Nothing", "    /// @custom:reverts Nothing", "IVault.take: does not say who may call it (@custom:caller)"),
    ("    /// @custom:caller The owner.\n", "    /// @custom:caller Anybody.\n", "IVault.shut: is the owner's, and does not say so (@custom:caller)"),
    ("@dev `owner` is whose it is; amounts", "@dev Amounts", "IVault.TooLittle: says nothing of `owner`"),
    ("Nothing, Shut, TooLittle, those", "Nothing, Shut, those", "IVault.take: `@custom:reverts` should be: Nothing, Shut, TooLittle, those of IBank.pay"),
    ("Nothing, Shut, TooLittle, those", "Closed, Nothing, Shut, TooLittle, those", "IVault.take: `@custom:reverts` should be: Nothing, Shut, TooLittle, those of IBank.pay"),
    (", those of IBank.pay", "", "IVault.take: `@custom:reverts` should be: Nothing, Shut, TooLittle, those of IBank.pay"),
    # What is reached through an override, a library, a modifier, and a call whose errors are caught.
    ("if (left < amount) revert TooLittle(msg.sender, left);", "", "IVault.take: `@custom:reverts` should be: Nothing, Shut, those of IBank.pay"),
    ("require(amount != 0, IVault.Nothing());", "", "IVault.take: `@custom:reverts` should be: Shut, TooLittle, those of IBank.pay"),
    ("external open returns", "external returns", "IVault.take: `@custom:reverts` should be: Nothing, TooLittle, those of IBank.pay"),
    ("        bank.pay();\n", "", "IVault.take: `@custom:reverts` should be: Nothing, Shut, TooLittle (tools"),
    ("if (_closed) revert Closed();", "if (_closed) revert IVault.Shut();", "IBank.pay: `@custom:reverts` should be: Shut"),
    ("if (_closed) revert Closed();", "if (_closed) revert IVault.Shut();", "IBank.pay: ends with Shut, which the interface does not declare"),
    ("if (_closed) revert Closed();", "_closed;", "IBank.Closed: no contract uses it"),
    ("        emit Taken(msg.sender, amount);\n", "", "IVault.Taken: no contract uses it"),
    ("return amount.narrow();", "return amount;", "IVault: `@custom:reverts-packages` should be: nothing"),
    ("/// @custom:reverts-packages TooWide\n", "", "IVault: `@custom:reverts-packages` should be: TooWide"),
    ("    /// @custom:reverts ERC20Empty\n", "", "IToken.move: `@custom:reverts` should be: ERC20Empty"),
    ("    /// @notice It is shut.\n", "", "IVault.Shut: says nothing of when it comes"),
    ("`available` is less", "Less", "IVault.TooLittle: says nothing of `available`"),
    ("`owner` took `amount`.", "`owner` took it.", "IVault.Taken: says nothing of `amount`"),
    ("address indexed owner, uint256 amount);", "address indexed, uint256 amount);", "IVault.Taken: has an argument without a name"),
    ("    /// @notice `owner` took `amount`.\n", "", "IVault.Taken: says nothing of when it comes"),
    ("    /// @notice Its name and number.\n", "", "IVault.Label: has no notice"),
    ("/// @title Pays.\n", "", "IBank: has no title"),
    ("    /// @inheritdoc IVault\n    function take", "    function take", "Base.take: neither inherits what it overrides says, nor says it"),
    ("    /// @notice Where it is.\n", "", "Base.bank: is public and has no notice"),
    ("contract Coin is Token {}", "contract Coin is Token {\n    function more() external {}\n}", "Coin.more: is in no interface"),
    ("    function move() external;", "    function drop() external;", "IToken.drop: no contract implements it"),
    ('require(amount != 0, IVault.Nothing());', 'require(amount != 0, "nothing");', "ends without an error of its own"),
    ("require(amount != 0, IVault.Nothing());", "assert(amount != 0);", "ends without an error of its own"),
    ("require(amount != 0, IVault.Nothing());", "assembly { revert(0, 0) }", "ends without an error of its own"),
]


class Sources(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("node_modules/package/Package.sol", PACKAGE)
        self.paths = []

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + text)

    def copy(self, name, *changes):
        """One more copy of the sources, with these changes."""
        texts = [VAULT, CODE]
        for old, new in changes:
            changed = [text.replace(old, new, 1) for text in texts]
            self.assertNotEqual(changed, texts, f"{old!r} is in neither source")
            texts = changed
        places = [f"contracts/{name}/interfaces/IVault.sol", f"contracts/{name}/Code.sol"]
        for place, text in zip(places, texts):
            self.write(place, text)
        self.paths += places

    def found(self):
        return check(Code(trees(self.paths, self.root)))

    def words(self, found, name):
        return [words for path, words in found.wrong if path.startswith(f"contracts/{name}/")]


class Rules(Sources):
    def test_each_break_is_found(self):
        # All copies in one compilation: the compiler takes a second to start.
        self.copy("whole")
        for number, (old, new, _) in enumerate(BREAKS):
            self.copy(number, (old, new))
        found = self.found()
        self.assertEqual(self.words(found, "whole"), [])
        for number, (old, new, expected) in enumerate(BREAKS):
            with self.subTest(old=old, new=new):
                self.assertTrue([w for w in self.words(found, number) if expected in w], self.words(found, number))

    def test_a_view_may_leave_it_to_the_terms_of_its_interface(self):
        notice, terms = ("`owner`'s.", "the owner's."), ("@dev `owner` is whose it is; amounts", "@dev Amounts")
        self.copy("terms", notice)
        self.copy("nothing", notice, terms)
        found = self.found()
        self.assertEqual(self.words(found, "terms"), [])
        self.assertIn("IVault.balance: says nothing of `owner`", self.words(found, "nothing"))

    def test_what_a_try_does_not_catch_is_handed_on(self):
        direct, some = ("        bank.pay();\n", ""), ("catch {}", "catch Error(string memory) {}")
        self.copy("some", direct, some)
        self.copy("all", direct)
        found = self.found()
        self.assertEqual(self.words(found, "some"), [])
        self.assertEqual(len(self.words(found, "all")), 1)


class Lists(Sources):
    def test_fix_writes_what_is_true(self):
        self.copy("bare")
        file = self.root / self.paths[0]
        whole = file.read_text()
        lines = [line for line in whole.splitlines(keepends=True) if "@custom:reverts" not in line]
        file.write_text("".join(lines).replace("/// @title Pays.\n", "/// @title Pays.\n/// @custom:reverts-packages None,\n/// TooMany\n"))
        fix(self.root, self.found().lists)
        self.assertEqual(file.read_text(), whole)


if __name__ == "__main__":
    unittest.main()
