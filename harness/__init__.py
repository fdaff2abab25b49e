"""The conductor: plans, exports, executes, measures, stores and shows; imports no library that it measures."""
