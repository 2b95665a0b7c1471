// argo-health says what Argo CD makes of objects, by a health check in Lua.
//
// In: the check's file as the only argument; on standard input, a JSON array of Kubernetes objects. Out: on standard
// output, a JSON array with {"status", "message"} for each, in the same order. The check gets the same interpreter,
// the same libraries (no string, no math) and the same second of time as in Argo CD, and must answer one of its words.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// What Argo CD knows; anything else it shows as Unknown.
var words = []string{"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "argo-health:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: argo-health health.lua < objects.json")
	}
	script, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	var objects []any
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return err
	}
	verdicts := make([]verdict, 0, len(objects))
	for i, object := range objects {
		result, err := judge(string(script), object)
		if err != nil {
			return fmt.Errorf("object %d: %w", i, err)
		}
		verdicts = append(verdicts, result)
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

// judge runs the check in an interpreter of its own: nothing of one object is left for the next.
func judge(script string, object any) (verdict, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	libraries := map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	}
	for _, name := range []string{lua.LoadLibName, lua.BaseLibName, lua.TabLibName} {
		state.Push(state.NewFunction(libraries[name]))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(script); err != nil {
		return verdict{}, err
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return verdict{}, fmt.Errorf("the check returned %s and no table", state.Get(-1).Type())
	}
	status, message := answer.RawGetString("status"), answer.RawGetString("message")
	if status.Type() != lua.LTString || !slices.Contains(words, status.String()) {
		return verdict{}, fmt.Errorf("Argo CD does not know the status %q", status.String())
	}
	if message.Type() != lua.LTString {
		return verdict{}, fmt.Errorf("the check returned no message")
	}
	return verdict{status.String(), message.String()}, nil
}

// value is what Lua sees of a piece of JSON.
func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, element := range from {
			table.RawSetString(key, value(state, element))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, element := range from {
			table.Append(value(state, element))
		}
		return table
	case string:
		return lua.LString(from)
	case float64:
		return lua.LNumber(from)
	case bool:
		return lua.LBool(from)
	default:
		return lua.LNil
	}
}
